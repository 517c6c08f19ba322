'use strict';

const byValue = (a, b) => (b.saving > a.saving ? b : a);

/** The coupon that saves most, or null. */
function best(coupons) {
  let found = null;
  for (const one of coupons) {
    if (one.validUntil < Date.now()) continue;
    found = found ? byValue(found, one) : one;
  }
  return found;
}

module.exports = { best };
