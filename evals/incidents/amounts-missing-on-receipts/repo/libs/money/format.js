'use strict'

const DECIMALS = { EUR: 2, CHF: 2, JPY: 0 }

/** Formats an amount of minor units. */
function format (amount, currency) {
  const digits = DECIMALS[currency] ?? 2
  const value = amount / 10 ** digits
  return value.toFixed(digits) + ' ' + currency
}

module.exports = { format }
