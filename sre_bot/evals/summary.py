"""Totals over scorecards, in the keys that the JSON has."""

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any, Protocol

from sre_bot.evals.calibration import Forecast, bold_errors, brier, brier_skill, ece, ece_interval
from sre_bot.evals.scorecard import Scorecard

Json = dict[str, Any]
DIGITS = 4


class Scored(Protocol):
    """What is totalled: an incident's marks, and how it went where it was played to its end."""

    @property
    def marks(self) -> Scorecard:
        """The marks of its diagnosis."""
        ...

    @property
    def seconds(self) -> float | None:
        """How long the answer took; None for a baseline."""
        ...

    @property
    def healed(self) -> bool | None:
        """Whether the cluster recovered."""
        ...

    @property
    def harmed(self) -> bool | None:
        """Whether anything deployed did harm."""
        ...

    @property
    def regression_valid(self) -> bool | None:
        """Whether the regression test fails before and passes after."""
        ...


def summarise(results: Sequence[Scored]) -> Json:
    """The totals: shares between 0 and 1, null where nothing applies."""
    marks = [one.marks for one in results]
    forecasts = forecasts_of(marks)
    seconds = sorted(one.seconds for one in results if one.seconds is not None)
    bold = bold_errors(forecasts)
    interval = ece_interval(forecasts)
    return {
        "incidents": len(results),
        **{name: _share(getattr(one, name) for one in marks) for name in ("kind_at_1", "object_at_1")},
        **{name: _share(getattr(one, name) for one in marks) for name in ("both_at_1", "both_at_3", "all_at_3")},
        "culprit_at_1": _share(one.culprit_at_1 for one in marks),
        "decoy_hits": _share(one.decoy_hit for one in marks),
        "decoy_hits_count": _count(one.decoy_hit for one in marks),
        "verdict_accuracy": _share(one.verdict_right for one in marks),
        "false_alarms": _share(one.false_alarm for one in marks),
        "false_alarms_count": _count(one.false_alarm for one in marks),
        "healed": _share(one.healed for one in results),
        "harmed": _share(one.harmed for one in results),
        "regression_valid": _share(one.regression_valid for one in results),
        "grounded": _share(one.grounded for one in marks),
        "brier": _rounded(brier(forecasts)),
        "brier_skill": _rounded(brier_skill(forecasts)),
        "ece": _rounded(ece(forecasts)),
        "ece_interval": [_rounded(end) for end in interval] if interval else None,
        "bold_errors": bold.model_dump() if bold else None,
        "seconds_p50": _rounded(percentile(seconds, 50)),
        "seconds_p95": _rounded(percentile(seconds, 95)),
    }


def forecasts_of(marks: Iterable[Scorecard]) -> list[Forecast]:
    """What was stated and whether it was right, of every answer that names something where a cause is expected."""
    return [
        (one.confidence, one.both_at_1) for one in marks if one.confidence is not None and one.both_at_1 is not None
    ]


def percentile(values: Sequence[float], percent: int) -> float | None:
    """The smallest of the sorted values that so many per cent do not exceed (nearest rank); None without values."""
    return values[max(0, -(-len(values) * percent // 100) - 1)] if values else None


def _share(answers: Iterable[bool | None]) -> float | None:
    known = [answer for answer in answers if answer is not None]
    return _rounded(fmean(known)) if known else None


def _count(answers: Iterable[bool | None]) -> int | None:
    known = [answer for answer in answers if answer is not None]
    return sum(known) if known else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
