"""Judgement without a model: timeline, topology, suspects, hypotheses, confidence. Pure."""

from sre_bot.reasoning.correlation import Correlation, correlate
from sre_bot.reasoning.hypotheses import propose
from sre_bot.reasoning.judgement import Judgement, judge
from sre_bot.reasoning.source import SourceReport, analyse_source
from sre_bot.reasoning.verdict import conclude

__all__ = [
    "Correlation",
    "Judgement",
    "SourceReport",
    "analyse_source",
    "conclude",
    "correlate",
    "judge",
    "propose",
]
