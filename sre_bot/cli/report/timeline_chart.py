"""The timeline as a drawing (inline SVG): one row for each kind of happening, time from left to right.

The distance from the right edge is the logarithm of the time before the snapshot, so that the minutes around the onset
and the commit of three weeks ago both have room.
"""

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from html import escape

from sre_bot.cli.report.contents import Moment, Report

WIDTH, ROW, LEFT, TOP = 1040, 44, 92, 34
MOST_POINTS = 150
_ROWS = {"commit": "commits", "rollout": "rollouts", "event": "events", "end": "ended"}
_TICKS = {
    "1 min": timedelta(minutes=1),
    "5 min": timedelta(minutes=5),
    "15 min": timedelta(minutes=15),
    "1 h": timedelta(hours=1),
    "4 h": timedelta(hours=4),
    "1 d": timedelta(days=1),
    "1 week": timedelta(weeks=1),
    "1 month": timedelta(days=30),
    "1 year": timedelta(days=365),
}


class Scale:
    """Where a moment stands, between the earliest one shown and the snapshot."""

    def __init__(self, earliest: datetime, now: datetime) -> None:
        self._now = now
        self._longest = self._length(max(now - earliest, timedelta(minutes=5)))

    def x(self, at: datetime) -> float:
        """The place of a moment, in pixels from the left."""
        share = self._length(max(self._now - at, timedelta(0))) / self._longest
        return round(WIDTH - 24 - share * (WIDTH - 24 - LEFT - 20), 1)

    @staticmethod
    def _length(length: timedelta) -> float:
        return math.log1p(length.total_seconds() / 60)


def timeline_chart(report: Report) -> str:
    """The drawing; empty where nothing bears a time."""
    chosen = _chosen(report.timeline)
    if not chosen:
        return ""
    scale = Scale(min(one.at for one in chosen), report.taken_at)
    rows = [kind for kind in _ROWS if any(one.kind == kind for one in chosen)]
    height = TOP + ROW * len(rows) + 26
    parts = [
        *_ticks(scale, min(one.at for one in chosen), report.taken_at, height),
        *_onset(scale, report.onset, height),
        *(part for place, kind in enumerate(rows) for part in _row(kind, TOP + ROW * place, chosen, scale)),
    ]
    head = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="What happened before the snapshot">'
    return "".join([head, *parts, "</svg>"])


def _chosen(timeline: tuple[Moment, ...]) -> tuple[Moment, ...]:
    """Those that tell of the cause, and the newest of the others."""
    telling = [one for one in timeline if one.telling]
    others = [one for one in timeline if not one.telling]
    kept = [*telling[-MOST_POINTS:], *others[-max(0, MOST_POINTS - len(telling)) :]]
    return tuple(sorted(kept, key=lambda one: (one.at, one.kind, one.subject, one.text)))


def _ticks(scale: Scale, earliest: datetime, now: datetime, height: int) -> Iterator[str]:
    yield _line(scale.x(now), height, "now") + _label(scale.x(now), "now", "end")
    last = scale.x(now) - 34
    for name, length in _TICKS.items():
        if now - length < earliest:
            return
        x = scale.x(now - length)
        if last - x > 46:
            yield _line(x, height, "tick") + _label(x, f"-{name}", "middle")
            last = x


def _onset(scale: Scale, onset: datetime | None, height: int) -> Iterator[str]:
    if onset is not None:
        x = scale.x(onset)
        yield _line(x, height, "onset")
        yield f'<text class="onset" x="{x}" y="{height - 6}" text-anchor="middle">it began</text>'


def _line(x: float, height: int, name: str) -> str:
    return f'<line class="{name}" x1="{x}" x2="{x}" y1="{TOP - 8}" y2="{height - 20}"/>'


def _label(x: float, text: str, anchor: str) -> str:
    return f'<text class="tick" x="{x}" y="{TOP - 16}" text-anchor="{anchor}">{text}</text>'


def _row(kind: str, top: int, chosen: tuple[Moment, ...], scale: Scale) -> Iterator[str]:
    middle = top + ROW // 2
    yield f'<line class="row" x1="{LEFT}" x2="{WIDTH - 24}" y1="{middle}" y2="{middle}"/>'
    yield f'<text class="kind" x="0" y="{middle + 4}">{_ROWS[kind]}</text>'
    ends = {-1: 0.0, 1: 0.0}
    for one in sorted((one for one in chosen if one.kind == kind), key=lambda one: one.telling):
        yield _point(one, scale.x(one.at), middle)
    for one in (one for one in chosen if one.kind == kind and one.telling):
        yield from _caption(one, scale.x(one.at), middle, ends)


def _point(one: Moment, x: float, middle: int) -> str:
    size, name = (6, f"{one.kind} telling") if one.telling else (4, one.kind)
    title = escape(f"{one.at:%Y-%m-%d %H:%M:%S} UTC  {one.subject}  {one.text}")
    return f'<circle class="{name}" cx="{x}" cy="{middle}" r="{size}"><title>{title}</title></circle>'


def _caption(one: Moment, x: float, middle: int, ends: dict[int, float]) -> Iterator[str]:
    """What a telling point says, above or below its row where there is room left."""
    said = one.text if len(one.text) <= 44 else f"{one.text[:43]}…"
    width = 6.1 * len(said)
    start = min(max(LEFT, x - width / 2), WIDTH - 8 - width)
    side = next((side for side in (-1, 1) if start > ends[side] + 8), None)
    if side is not None:
        ends[side] = start + width
        yield f'<text class="caption" x="{start:.1f}" y="{middle + (-10 if side < 0 else 19)}">{escape(said)}</text>'
