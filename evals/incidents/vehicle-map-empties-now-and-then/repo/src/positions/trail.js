'use strict'

const LIMIT = 500
const trails = new Map()

function remember (vehicle, point) {
  const trail = trails.get(vehicle) || []
  trail.push(point)
  if (trail.length > LIMIT) trail.shift()
  trails.set(vehicle, trail)
}

module.exports = { remember, trails }
