"""Versions of channels: text that sorts in the order of the steps, and that no two writers make alike.

A fifth as long as the stock saver's, after which it still sorts: a checkpoint names one for each channel, and one for
much of what its nodes have seen.
"""

from random import getrandbits

_DIGITS = "0123456789abcdefghijklmnopqrstuv"
_STEP_DIGITS = 5
_CHANCE_DIGITS = 6


def next_version(current: str | int | None) -> str:
    """The version after ``current``: None, one of ours, or one of the stock saver's (``000…05.0.123``)."""
    return _text(_step(current) + 1, _STEP_DIGITS) + _text(getrandbits(5 * _CHANCE_DIGITS), _CHANCE_DIGITS)


def _step(version: str | int | None) -> int:
    if version is None or isinstance(version, int):
        return version or 0
    stock, dot, _ = version.partition(".")
    return int(stock) if dot else int(version[:_STEP_DIGITS], 32)


def _text(number: int, digits: int) -> str:
    return "".join(_DIGITS[number >> 5 * place & 31] for place in reversed(range(digits)))
