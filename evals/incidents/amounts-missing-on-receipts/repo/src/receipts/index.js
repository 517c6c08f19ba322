'use strict'

const { format } = require('../../libs/money/format')

function line (item) {
  return item.name + '  ' + format(item.total, item.currency)
}

module.exports = { line }
