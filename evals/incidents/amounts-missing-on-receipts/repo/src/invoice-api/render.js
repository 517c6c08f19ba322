'use strict'

const { format } = require('../../libs/money/format')

function total (invoice) {
  return format(invoice.total, invoice.currency)
}

module.exports = { total }
