package com.atelier.money;

import java.math.BigDecimal;
import java.math.RoundingMode;

/** Net and tax of a gross amount. */
public final class Vat {
    private static final BigDecimal HUNDRED = new BigDecimal("100");

    private Vat() {}

    /** Net amount with cents. */
    public static BigDecimal net(BigDecimal gross, BigDecimal percent) {
        BigDecimal factor = HUNDRED.add(percent);
        return gross.multiply(HUNDRED).divide(factor, 2, RoundingMode.HALF_UP);
    }

    /** Tax that is contained in a gross amount. */
    public static BigDecimal tax(BigDecimal gross, BigDecimal percent) {
        return gross.subtract(net(gross, percent));
    }
}
