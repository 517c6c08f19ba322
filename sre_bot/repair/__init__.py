"""Repair: from a hypothesis and a repository to the smallest safe change, its checks and its regression test. Pure."""

from sre_bot.repair.proposal import propose_fix
from sre_bot.repair.regression import regression_test, regression_tests
from sre_bot.repair.validation import validate

__all__ = ["propose_fix", "regression_test", "regression_tests", "validate"]
