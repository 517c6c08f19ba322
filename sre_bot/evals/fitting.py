"""What would make the stated confidence true: two constants, fitted on degraded retellings and tried on the kept split.

Platt scaling (Platt 1999): ``p' = 1 / (1 + exp(-(SLOPE * log(p / (1 - p)) + SHIFT)))``, by Newton's method on targets
drawn in from 0 and 1 by the counts, so that forecasts without an error have an answer too. Two parameters are what some
hundreds of forecasts carry, several of which come from one incident and are no independent trials.
"""

import math
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from sre_bot.evals.calibration import Forecast, brier

STEPS = 100
ENOUGH = 1e-9
RIDGE = 1.0
"""Pulls the slope towards 1, the confidence as it is stated; the weight of one forecast at even odds is a quarter."""
EDGE = 1e-6


class Fit(BaseModel):
    """The constants, and the Brier score before and after: on what they were fitted on, and on the kept incidents.

    ``slope`` 1 and ``shift`` 0 change nothing. A slope below 1 says that the statements are too extreme.
    """

    model_config = ConfigDict(frozen=True)

    slope: float
    shift: float
    fitted_on: int
    right: int
    brier_before: float
    brier_after: float
    kept_before: float | None
    kept_after: float | None


def fit(tuned: Sequence[Forecast], kept: Sequence[Forecast]) -> Fit | None:
    """Fit on forecasts from the tuned split; None where there are none."""
    if not tuned:
        return None
    slope, shift = _newton(tuned)
    after, kept_after = (brier([(adjusted(p, slope, shift), y) for p, y in split]) for split in (tuned, kept))
    return Fit(
        slope=round(slope, 4),
        shift=round(shift, 4),
        fitted_on=len(tuned),
        right=sum(right for _, right in tuned),
        brier_before=_rounded(brier(tuned)) or 0.0,
        brier_after=_rounded(after) or 0.0,
        kept_before=_rounded(brier(kept)),
        kept_after=_rounded(kept_after),
    )


def adjusted(stated: float, slope: float, shift: float) -> float:
    """The confidence that should have been stated."""
    return _logistic(slope * _logit(stated) + shift)


def _newton(forecasts: Sequence[Forecast]) -> tuple[float, float]:
    """Minimise the cross-entropy, with a ridge on the slope's distance from 1."""
    right = sum(y for _, y in forecasts)
    high, low = (right + 1) / (right + 2), 1 / (len(forecasts) - right + 2)
    points = [(_logit(stated), high if y else low) for stated, y in forecasts]
    slope, shift = 1.0, 0.0
    for _ in range(STEPS):
        along, across = _step(points, slope, shift)
        length = _length(points, (slope, shift), (along, across))
        slope, shift = slope - length * along, shift - length * across
        if length * max(abs(along), abs(across)) < ENOUGH:
            break
    return slope, shift


def _length(points: Sequence[tuple[float, float]], at: tuple[float, float], step: tuple[float, float]) -> float:
    """How much of a step to take: all, or half as often as it takes for the loss not to grow."""
    before, length = _loss(points, *at), 1.0
    while length > ENOUGH and _loss(points, at[0] - length * step[0], at[1] - length * step[1]) > before:
        length /= 2
    return length


def _loss(points: Sequence[tuple[float, float]], slope: float, shift: float) -> float:
    """The cross-entropy and the ridge; the logarithm of the logistic function, without overflow."""
    sums = ((slope * x + shift, target) for x, target in points)
    return sum(max(z, 0.0) - z * target + math.log1p(math.exp(-abs(z))) for z, target in sums) + (
        RIDGE * (slope - 1) ** 2 / 2
    )


def _step(points: Sequence[tuple[float, float]], slope: float, shift: float) -> tuple[float, float]:
    """The inverse of the Hessian times the gradient."""
    told = [(x, _logistic(slope * x + shift), target) for x, target in points]
    by_slope = sum((p - target) * x for x, p, target in told) + RIDGE * (slope - 1)
    by_shift = sum(p - target for _, p, target in told)
    both = sum(p * (1 - p) * x * x for x, p, _ in told) + RIDGE
    cross = sum(p * (1 - p) * x for x, p, _ in told)
    alone = sum(p * (1 - p) for _, p, _ in told) + EDGE
    area = both * alone - cross * cross
    return (alone * by_slope - cross * by_shift) / area, (both * by_shift - cross * by_slope) / area


def _logistic(value: float) -> float:
    grown = math.exp(-abs(value))
    return (1.0 if value >= 0 else grown) / (1 + grown)


def _logit(probability: float) -> float:
    within = min(1 - EDGE, max(EDGE, probability))
    return math.log(within / (1 - within))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
