"""The report's pictures as inline SVG: the reliability curve and a bar for each family. Text out, no library."""

from collections.abc import Sequence
from html import escape
from typing import Any

Json = dict[str, Any]
SIDE, MARGIN = 300, 44
BAR_WIDTH, BAR_HEIGHT, LABEL_WIDTH = 300, 16, 150


def reliability_curve(bins: Sequence[Json]) -> str:
    """Share of right answers over stated confidence; a dot's area is its number of incidents."""
    whole = SIDE + 2 * MARGIN
    grid = "".join(_grid_line(tenth) for tenth in range(0, 11, 2))
    largest = max((one["count"] for one in bins), default=1)
    line = " ".join(f"{_x(one['confidence']):.1f},{_y(one['right']):.1f}" for one in bins)
    dots = "".join(_dot(one, largest) for one in bins)
    frame = _svg(whole, whole, "reliability curve")
    return (
        f'{frame}{grid}<line class="ideal" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}"/>'
        f'<polyline class="curve" points="{line}"/>{dots}'
        f'<text x="{_x(0.5)}" y="{_y(0) + 34}" text-anchor="middle">stated confidence</text>'
        f'<text x="12" y="{_y(0.5)}" text-anchor="middle" transform="rotate(-90 12 {_y(0.5)})">share right</text></svg>'
    )


def family_bars(families: dict[str, Json]) -> str:
    """A bar for each family: the share whose first hypothesis has kind and object right, and how many there are."""
    rows = [(name, totals) for name, totals in families.items() if totals["both_at_1"] is not None]
    height = len(rows) * (BAR_HEIGHT + 8) + 8
    width = LABEL_WIDTH + BAR_WIDTH + 110
    bars = "".join(_bar(place, name, totals) for place, (name, totals) in enumerate(rows))
    return f"{_svg(width, height, 'share right by family')}{bars}</svg>"


def _svg(width: int, height: int, label: str) -> str:
    return f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{label}">'


def _bar(place: int, name: str, totals: Json) -> str:
    top, share = 8 + place * (BAR_HEIGHT + 8), totals["both_at_1"]
    middle, count = top + BAR_HEIGHT - 4, totals["incidents"]
    return (
        f'<text x="{LABEL_WIDTH - 8}" y="{middle}" text-anchor="end">{escape(name)}</text>'
        f'<rect class="rest" x="{LABEL_WIDTH}" y="{top}" width="{BAR_WIDTH}" height="{BAR_HEIGHT}"/>'
        f'<rect class="right" x="{LABEL_WIDTH}" y="{top}" width="{BAR_WIDTH * share:.1f}" height="{BAR_HEIGHT}"/>'
        f'<text x="{LABEL_WIDTH + BAR_WIDTH + 8}" y="{middle}">{share:.0%} of {count}</text>'
    )


def _grid_line(tenth: int) -> str:
    at = tenth / 10
    return (
        f'<line class="grid" x1="{_x(at)}" y1="{_y(0)}" x2="{_x(at)}" y2="{_y(1)}"/>'
        f'<line class="grid" x1="{_x(0)}" y1="{_y(at)}" x2="{_x(1)}" y2="{_y(at)}"/>'
        f'<text x="{_x(at)}" y="{_y(0) + 16}" text-anchor="middle">{at:.1f}</text>'
        f'<text x="{_x(0) - 6}" y="{_y(at) + 4}" text-anchor="end">{at:.1f}</text>'
    )


def _dot(one: Json, largest: int) -> str:
    radius = 4 + 8 * (one["count"] / largest) ** 0.5
    said = f"{one['count']} incidents stated {one['confidence']:.2f} on average; {one['right']:.0%} were right"
    place = f'cx="{_x(one["confidence"]):.1f}" cy="{_y(one["right"]):.1f}"'
    return f'<circle class="dot" {place} r="{radius:.1f}"><title>{escape(said)}</title></circle>'


def _x(share: float) -> float:
    return MARGIN + SIDE * share


def _y(share: float) -> float:
    return MARGIN / 2 + SIDE * (1 - share)
