'use strict'

const { fare } = require('./lib/fare')

queue.on('ride-ended', (ride, plan) => {
  store.close(ride.id, fare(ride, plan))
})
