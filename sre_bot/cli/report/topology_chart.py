"""Who depends on the cause, as a drawing (inline SVG): the cause at the left, those who suffer to its right."""

from html import escape

from sre_bot.cli.report.contents import Dependency, Report

BOX_WIDTH, BOX_HEIGHT, GAP_X, GAP_Y, TOP = 210, 42, 74, 14, 8
MOST_BOXES = 6
"""In one column; the others are counted."""


def topology_chart(report: Report) -> str:
    """The drawing; empty where nobody depends on the cause."""
    if not report.topology:
        return ""
    columns = _columns(report.topology)
    places = {
        name: (column * (BOX_WIDTH + GAP_X) + 2, TOP + row * (BOX_HEIGHT + GAP_Y))
        for column, names in enumerate(columns)
        for row, name in enumerate(names[:MOST_BOXES])
    }
    rows = max(min(len(names), MOST_BOXES) + (len(names) > MOST_BOXES) for names in columns)
    width = len(columns) * (BOX_WIDTH + GAP_X) - GAP_X + 4
    height = TOP + rows * (BOX_HEIGHT + GAP_Y)
    cause = report.causes[0].object if report.causes else ""
    parts = [
        *(_arrow(one, places) for one in report.topology if one.source in places and one.target in places),
        *(_box(name, x, y, guilty=name == cause) for name, (x, y) in places.items()),
        *(_rest(len(names) - MOST_BOXES, column) for column, names in enumerate(columns) if len(names) > MOST_BOXES),
    ]
    head = f'<svg viewBox="0 0 {width} {height}" style="max-width:{width}px" role="img" aria-label="Who depends on it">'
    return "".join([head, *parts, "</svg>"])


def _columns(links: tuple[Dependency, ...]) -> list[list[str]]:
    """The objects by their distance from the cause."""
    sources = {link.source for link in links}
    columns = [list(dict.fromkeys(link.target for link in links if link.target not in sources))]
    placed = set(columns[0])
    while fresh := list(
        dict.fromkeys(one.source for one in links if one.target in placed and one.source not in placed)
    ):
        columns.append(fresh)
        placed.update(fresh)
    return columns


def _box(name: str, x: int, y: int, *, guilty: bool) -> str:
    kind, _, rest = name.partition("/")
    title = rest.rpartition("/")[2]
    shown = title if len(title) <= 28 else f"{title[:27]}…"
    return (
        f'<g class="box{" guilty" if guilty else ""}"><title>{escape(name)}</title>'
        f'<rect x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="7"/>'
        f'<text class="kind" x="{x + 12}" y="{y + 16}">{escape(kind)}</text>'
        f'<text class="name" x="{x + 12}" y="{y + 33}">{escape(shown)}</text></g>'
    )


def _arrow(one: Dependency, places: dict[str, tuple[int, int]]) -> str:
    (x, y), (from_x, from_y) = places[one.target], places[one.source]
    start, end = x + BOX_WIDTH, from_x
    top, bottom = y + BOX_HEIGHT // 2, from_y + BOX_HEIGHT // 2
    bend = (start + end) // 2
    return (
        f'<path class="link" d="M{start} {top}C{bend} {top},{bend} {bottom},{end} {bottom}"/>'
        f'<text class="why" x="{bend}" y="{(top + bottom) // 2 - 5}" text-anchor="middle">{escape(one.why)}</text>'
    )


def _rest(count: int, column: int) -> str:
    y = TOP + MOST_BOXES * (BOX_HEIGHT + GAP_Y) + 18
    return f'<text class="why" x="{column * (BOX_WIDTH + GAP_X) + 14}" y="{y}">and {count} more</text>'
