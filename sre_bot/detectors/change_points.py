"""Where a measured level changes, and whether it climbs: the two shapes that metrics are read for.

A change point is the split in two segments that leaves the least squared deviation from their means (binary
segmentation, Scott and Knott 1974); it counts where the step stands out of the noise, measured as the median absolute
deviation times 1.4826 (an estimate of the standard deviation that outliers do not move).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

Point = tuple[float, float]

LEAST_POINTS = 8
_SEGMENT = 3
_STRENGTH = 4.0
_STEP = 0.3
_NOISE_FLOOR = 0.02
_TAIL = 3


@dataclass(frozen=True, slots=True)
class Change:
    """A step that lasts until the end. ``at`` is in seconds since 1970, ``strength`` in standard deviations."""

    at: float
    before: float
    after: float
    strength: float

    @property
    def rises(self) -> bool:
        """Whether the level went up."""
        return self.after > self.before

    @property
    def ratio(self) -> float:
        """How many times the former level the present one is; infinite where there was nothing."""
        return self.after / self.before if self.before > 0 else float("inf")


def change(points: Sequence[Point]) -> Change | None:
    """The largest step of a series that is still there at its end; None where it only wavers."""
    if len(points) < LEAST_POINTS:
        return None
    values = [value for _, value in points]
    place = _split(values)
    before, after = median(values[:place]), median(values[place:])
    noise = max(
        1.4826 * median([abs(value - before) for value in values[:place]] + [abs(v - after) for v in values[place:]]),
        _NOISE_FLOOR * max(abs(before), abs(after)),
    )
    size, recent = abs(after - before), median(values[-_TAIL:])
    stands_out = noise > 0 and size >= _STRENGTH * noise and size >= _STEP * abs(before)
    lasts = abs(recent - after) < abs(recent - before)
    return Change(points[place][0], before, after, size / noise) if stands_out and lasts else None


def _split(values: Sequence[float]) -> int:
    """The index at which the second segment begins."""
    total, count, left = sum(values), len(values), 0.0
    best, place = -1.0, _SEGMENT
    for index in range(1, count - _SEGMENT + 1):
        left += values[index - 1]
        right = total - left
        gain = left * left / index + right * right / (count - index)  # ** would raise where * is infinite
        if index >= _SEGMENT and (best < 0 or gain > best):
            best, place = gain, index
    return place


@dataclass(frozen=True, slots=True)
class Climb:
    """A level that grows steadily until the end: from ``first`` to ``last``, since ``at``."""

    at: float
    first: float
    last: float


_FIT = 0.85
_GROWTH = 1.4
_DROP = 0.6


def climb(points: Sequence[Point]) -> Climb | None:
    """The steady growth after the last fall of a series; of the longest run where it fell just now. None without one.

    Steady means that a straight line explains ``_FIT`` of the variance: a step does not.
    """
    run = max(_runs(points), key=len, default=[])
    if len(run) < LEAST_POINTS or run[0][1] <= 0:
        return None
    start, end = fmean(value for _, value in run[:_TAIL]), fmean(value for _, value in run[-_TAIL:])
    if end < _GROWTH * start or _linearity(run) < _FIT:
        return None
    return Climb(run[0][0], start, end)


def _runs(points: Sequence[Point]) -> list[list[Point]]:
    """The series cut where it falls by more than ``1 - _DROP``: a process that starts anew."""
    runs: list[list[Point]] = []
    for point in points:
        if not runs or point[1] < _DROP * runs[-1][-1][1]:
            runs.append([])
        runs[-1].append(point)
    return runs


def _linearity(points: Sequence[Point]) -> float:
    """The share of the variance that a straight line explains (r²), 0 to 1."""
    times, values = [at for at, _ in points], [value for _, value in points]
    middle_time, middle = fmean(times), fmean(values)
    across = sum((at - middle_time) * (value - middle) for at, value in points)
    wide, high = sum((at - middle_time) ** 2 for at in times), sum((value - middle) ** 2 for value in values)
    return across * across / (wide * high) if wide and high else 0.0
