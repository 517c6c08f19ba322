package io.voltaic.tariffs;

import java.math.BigDecimal;
import java.time.LocalTime;

/** Chooses the rate that applies at a time of day. */
public class RateCalculator {

    private static final LocalTime NIGHT_FROM = LocalTime.of(22, 0);
    private static final LocalTime NIGHT_TO = LocalTime.of(6, 0);

    public BigDecimal rate(Contract contract, LocalTime at) {
        if (isNight(at)) {
            return contract.plan().nightRate();
        }
        return contract.plan().dayRate();
    }

    private boolean isNight(LocalTime at) {
        return at.isAfter(NIGHT_FROM) || at.isBefore(NIGHT_TO);
    }
}
