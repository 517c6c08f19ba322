"""What is written of a run: JSON for machines, a table and bars for people."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measures import Spread

Json = dict[str, Any]
COLOURS = {"ours": "#1b6f5f", "stock": "#b0632a", "dbos": "#5b5ea6", "bare": "#8a8a8a"}
BARS: dict[str, tuple[str, Callable[[float], bool]]] = {
    "steps_sequential_vs_stock": ("≥ 1.2", lambda value: value >= 1.2),
    "steps_32_vs_stock": ("≥ 1.1", lambda value: value >= 1.1),
    "subgraph_steps_32_vs_stock": ("≥ 1.0", lambda value: value >= 1.0),
    "steps_32_vs_dbos": ("≥ 2", lambda value: value >= 2),
    "recover_1000_vs_dbos": ("≤ 0.3", lambda value: value <= 0.3),
    "write_transactions_per_workflow": ("≤ 12", lambda value: value <= 12),
    "wal_kb_per_workflow": ("≤ 30", lambda value: value <= 30),
    "kept_bytes_per_workflow": ("≤ 11264", lambda value: value <= 11264),
}


def write(result: Json, folder: Path) -> None:
    """Write ``benchmarks.json``, ``benchmarks.md`` and a picture for each measure with arms into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmarks.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    (folder / "benchmarks.md").write_text(markdown(result), encoding="utf-8")
    for measure, arms in result["arms"].items():
        (folder / f"{measure}.svg").write_text(picture(measure, arms), encoding="utf-8")


def markdown(result: Json) -> str:
    """The tables."""
    lines = ["| measure | this run | bar | |", "|---|---:|---:|---|"]
    for name, (bar, met) in BARS.items():
        value = result["ratios"].get(name, result.get(name))
        if value is not None:
            lines.append(f"| `{name}` | {value:.2f} | {bar} | {'met' if met(value) else 'not met'} |")
    lines += ["", "| steps a second | arm | median | lowest | highest |", "|---|---|---:|---:|---:|"]
    for measure, arms in result["arms"].items():
        for arm, spread in arms.items():
            row = " | ".join(f"{spread[part]:.0f}" for part in ("median", "minimum", "maximum"))
            lines.append(f"| {measure} | {arm} | {row} |")
    return "\n".join([*lines, ""])


def picture(title: str, arms: dict[str, dict[str, float]]) -> str:
    """Bars of the medians, with a line from the lowest to the highest, as SVG."""
    widest = max(spread["maximum"] for spread in arms.values())
    rows = [_row(nth, arm, spread, widest) for nth, (arm, spread) in enumerate(arms.items())]
    height = 34 + 26 * len(rows)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 520 {height}" font-family="sans-serif" font-size="12">'
        f'<rect width="520" height="{height}" fill="#ffffff"/>'
        f'<text x="8" y="18" font-weight="bold">{title.replace("_", " ")}: steps a second</text>{"".join(rows)}</svg>\n'
    )


def spreads(arms: dict[str, Spread]) -> dict[str, dict[str, float]]:
    """The spreads of arms as plain JSON."""
    return {
        arm: {"median": spread.median, "minimum": spread.minimum, "maximum": spread.maximum}
        for arm, spread in arms.items()
    }


def _row(nth: int, arm: str, spread: dict[str, float], widest: float) -> str:
    top, scale = 30 + 26 * nth, 360 / widest
    low, high, middle = (70 + spread[part] * scale for part in ("minimum", "maximum", "median"))
    return (
        f'<text x="8" y="{top + 13}">{arm}</text>'
        f'<rect x="70" y="{top}" width="{middle - 70:.1f}" height="18" fill="{COLOURS.get(arm, "#444444")}"/>'
        f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{top + 9}" y2="{top + 9}" stroke="#111111"/>'
        f'<text x="{high + 6:.1f}" y="{top + 13}">{spread["median"]:.0f}</text>'
    )
