"""Recorded metrics built in code: a sample each minute until the snapshot, with a ripple as real ones have."""

from collections.abc import Callable

from sre_bot.domain.cluster import Series
from tests.clusters import NAMESPACE, NOW

MINUTES = 120
Shape = Callable[[int], float]


def flat(level: float) -> Shape:
    """A level that only ripples."""
    return lambda minute: level * (1 + 0.02 * ((minute * 7) % 5 - 2))


def step(before: float, after: float, ago: int = 40) -> Shape:
    """A level that changes ``ago`` minutes before the snapshot."""
    return lambda minute: (flat(before) if minute < MINUTES - ago else flat(after))(minute)


def spike(level: float, peak: float, ago: int = 60, lasting: int = 15) -> Shape:
    """A level that was another one for a while."""
    start = MINUTES - ago
    return lambda minute: (flat(peak) if start <= minute < start + lasting else flat(level))(minute)


def slope(first: float, last: float) -> Shape:
    """A level that grows steadily."""
    return lambda minute: first + (last - first) * minute / MINUTES


def gauge(name: str, shape: Shape, **labels: str) -> Series:
    """A gauge of that shape."""
    end = NOW.timestamp()
    points = tuple((end - 60 * (MINUTES - minute), shape(minute)) for minute in range(MINUTES + 1))
    return Series(name=name, labels={"namespace": NAMESPACE, **labels}, points=points)


def counter(name: str, rate: Shape, **labels: str) -> Series:
    """A counter that grows by so much each second."""
    total, points = 1_000.0, list[tuple[float, float]]()
    for at, per_second in gauge(name, rate).points:
        total += per_second * 60
        points.append((at, total))
    return Series(name=name, labels={"namespace": NAMESPACE, **labels}, points=tuple(points))
