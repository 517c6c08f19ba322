"""Fares of the car ferries, per route, vehicle and day."""
