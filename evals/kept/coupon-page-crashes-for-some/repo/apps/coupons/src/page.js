'use strict';

const { best } = require('./best');

/** Model of the start page: the best coupon first. */
async function page(customer, store) {
  const coupons = await store.of(customer.id);
  const first = best(coupons);
  return { customer: customer.id, first, rest: coupons.filter((one) => one !== first) };
}

module.exports = { page };
