"""Judgement without a model: timeline, topology, suspects, hypotheses, confidence. Pure."""
