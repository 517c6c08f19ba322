"""Scoring over recorded incidents."""
