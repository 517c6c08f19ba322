<?php

namespace Giving\Donation;

final class Receipt
{
    private const FEE = 0.019;

    /** @param array{amount: int|string, covers_fee?: bool} $form */
    public static function lines(array $form): array
    {
        $amount = $form['amount'];
        $fee = round($amount * self::FEE, 2);

        return [
            'amount' => number_format($amount, 2, ',', '.'),
            'fee' => number_format($fee, 2, ',', '.'),
        ];
    }
}
