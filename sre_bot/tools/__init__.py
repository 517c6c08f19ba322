"""Hands: one thin async module for each foreign system; no decisions."""
