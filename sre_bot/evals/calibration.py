"""Whether a stated confidence means what it says.

A forecast is a pair: the stated probability that kind and object of the first hypothesis are right, and whether they
were. Brier score: the mean squared difference (Brier 1950); its skill: one minus its ratio to the score of whoever
always states the base rate. Expected calibration error: over ten bins of equal width, the difference between mean
confidence and share of right answers, weighted by the bins' sizes (Naeini et al. 2015). It is biased upwards on few
incidents, so it comes with a bootstrap interval.
"""

import math
import random
from collections.abc import Sequence
from statistics import fmean

from pydantic import BaseModel, ConfigDict

Forecast = tuple[float, bool]
BINS = 10
RESAMPLES = 1_000
SEED = 20_260
BOLD = 0.9
"""Confidence from which an error is counted as bold."""


class Bin(BaseModel):
    """One bin of the reliability curve: how many forecasts, what they stated, how many were right."""

    model_config = ConfigDict(frozen=True)

    low: float
    high: float
    count: int
    confidence: float
    right: float


def brier(forecasts: Sequence[Forecast]) -> float | None:
    """The Brier score, 0 is perfect; None without forecasts."""
    return fmean((stated - right) ** 2 for stated, right in forecasts) if forecasts else None


def brier_skill(forecasts: Sequence[Forecast]) -> float | None:
    """How much better than always stating the base rate, 1 is perfect; None where the base rate is 0 or 1."""
    score, base = brier(forecasts), fmean(right for _, right in forecasts) if forecasts else 0.0
    return None if score is None or base in (0.0, 1.0) else 1 - score / (base * (1 - base))


def reliability(forecasts: Sequence[Forecast]) -> tuple[Bin, ...]:
    """The reliability curve: the bins that hold a forecast."""
    filled: dict[int, list[Forecast]] = {}
    for forecast in forecasts:
        filled.setdefault(_bin(forecast[0]), []).append(forecast)
    return tuple(
        Bin(
            low=place / BINS,
            high=(place + 1) / BINS,
            count=len(members),
            confidence=fmean(stated for stated, _ in members),
            right=fmean(right for _, right in members),
        )
        for place, members in sorted(filled.items())
    )


def ece(forecasts: Sequence[Forecast]) -> float | None:
    """The expected calibration error; None without forecasts.

    A bin's share times its gap is the sum of its differences over the number of all.
    """
    if not forecasts:
        return None
    gaps = [0.0] * BINS
    for stated, right in forecasts:
        gaps[_bin(stated)] += stated - right
    return sum(map(abs, gaps)) / len(forecasts)


def ece_interval(forecasts: Sequence[Forecast]) -> tuple[float, float] | None:
    """The middle 95 % of the error over seeded resamples of the incidents (percentile bootstrap, Efron 1979)."""
    if not forecasts:
        return None
    source = random.Random(SEED)
    found = sorted(ece(source.choices(forecasts, k=len(forecasts))) or 0.0 for _ in range(RESAMPLES))
    return found[int(0.025 * RESAMPLES)], found[int(0.975 * RESAMPLES) - 1]


def _bin(stated: float) -> int:
    return min(int(stated * BINS), BINS - 1)


class BoldErrors(BaseModel):
    """Wrong answers stated with more than ``BOLD``; ``chance`` is the probability of so many or more by chance.

    By chance: were each stated confidence true, errors would follow a binomial distribution with their mean as rate.
    """

    model_config = ConfigDict(frozen=True)

    stated: int
    errors: int
    expected: float
    chance: float


def bold_errors(forecasts: Sequence[Forecast]) -> BoldErrors | None:
    """Count them; None where nothing was stated so boldly."""
    bold = [forecast for forecast in forecasts if forecast[0] > BOLD]
    if not bold:
        return None
    errors, rate = sum(not right for _, right in bold), fmean(1 - stated for stated, _ in bold)
    tail = sum(math.comb(len(bold), k) * rate**k * (1 - rate) ** (len(bold) - k) for k in range(errors, len(bold) + 1))
    return BoldErrors(stated=len(bold), errors=errors, expected=len(bold) * rate, chance=min(tail, 1.0))
