"""What ``eval`` prints: a row for each incident, totals beside the baselines, what changed since the baseline."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

Json = dict[str, Any]
SHOWN = (
    *("incidents", "kind_at_1", "object_at_1", "both_at_1", "both_at_3", "culprit_at_1", "decoy_hits"),
    *("verdict_accuracy", "false_alarms", "grounded", "brier"),
)
PLAYED = ("healed", "harmed", "regression_valid")


def incidents_table(incidents: list[Json]) -> Table:
    """One row for each incident: what was answered, and which of it is right."""
    table = Table(
        "incident", "split", "verdict", "named", "kind", "object", "culprit", "sure", box=None, pad_edge=False
    )
    for one in incidents:
        marks, first = one["marks"], one["hypotheses"][0] if one["hypotheses"] else None
        wrong = not marks["verdict_right"] or False in (marks["both_at_1"], marks["culprit_at_1"])
        table.add_row(
            Text(one["incident"]),
            one["split"],
            one["verdict"],
            Text(f"{first['kind']} {first['object']}" if first else "-"),
            *(_mark(marks[name]) for name in ("kind_at_1", "object_at_1", "culprit_at_1")),
            f"{first['confidence']:.0%}" if first else "-",
            style="yellow" if wrong else "",
        )
    return table


def totals_table(report: Json) -> Table:
    """The totals, the splits', and the baselines', side by side."""
    groups = {"all": report["summary"], **report["splits"], **report["baselines"]}
    shown = {name: totals for name, totals in groups.items() if totals["incidents"]}
    table = Table("", *(_words(name) for name in shown), box=None, pad_edge=False)
    for column in (*SHOWN, *(PLAYED if report["stage"] == "full" else ())):
        table.add_row(_words(column), *(_number(totals[column]) for totals in shown.values()))
    return table


def told_differently(report: Json) -> list[str]:
    """A sentence for each answer that changed when its incident was told differently."""
    return [
        f"{one['incident']}: {varied['sort']} {varied['seed']} changed the answer from {varied['wanted']} "
        f"to {varied['answered']}"
        for one in report["incidents"]
        for varied in one["variations"]
        if not varied["same"]
    ]


def changed_totals(changes: Mapping[str, tuple[float | None, float | None]]) -> str:
    """The totals that differ from the baseline's, in one line; empty when none does."""
    return ", ".join(f"{_words(name)} {_number(old)} → {_number(new)}" for name, (old, new) in changes.items())


def calibration_lines(calibration: Json | None) -> list[str]:
    """What the fit says, for whoever sets the constants of the confidence."""
    if calibration is None:
        return ["calibration: no tuned incident names a cause to fit on"]
    kept = f"{_number(calibration['kept_before'])} → {_number(calibration['kept_after'])}"
    less = f"{_number(calibration['brier_before'])} → {_number(calibration['brier_after'])}"
    return [
        f"calibration, fitted on {calibration['fitted_on']} degraded retellings of tuned incidents, "
        f"{calibration['right']} of them right:",
        "  p' = 1 / (1 + exp(-(SLOPE * log(p / (1 - p)) + SHIFT)))",
        f"  SLOPE = {calibration['slope']}",
        f"  SHIFT = {calibration['shift']}",
        f"  Brier, degraded {less}, kept {kept}",
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def _mark(right: bool | None) -> str:
    return {True: "✓", False: "✗", None: "-"}[right]


def _words(name: str) -> str:
    return name.replace("_", " ")
