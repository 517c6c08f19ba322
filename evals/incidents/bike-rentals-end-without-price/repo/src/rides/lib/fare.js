'use strict'

const MINUTE = 60 * 1000

/** The fare of a ride in cents. */
function fare (ride, plan) {
  const minutes = Math.ceil((ride.end - ride.start) / MINUTE)
  const free = plan ? plan.freeMinutes : 0
  return 100 + Math.max(0, minutes - free) * ride.bike.rate
}

module.exports = { fare }
