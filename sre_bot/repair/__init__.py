"""Repairs: a strategy for each fault kind, format-preserving edits, regression tests. Pure."""
