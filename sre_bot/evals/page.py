"""The report as one HTML page that needs nothing else: totals, pictures, baselines, every incident."""

from collections.abc import Iterable
from html import escape
from typing import Any

from sre_bot.evals.drawings import family_bars, reliability_curve

Json = dict[str, Any]
TOTALS = (
    *("incidents", "kind_at_1", "object_at_1", "both_at_1", "both_at_3", "culprit_at_1", "decoy_hits"),
    *("verdict_accuracy", "false_alarms", "grounded", "brier", "brier_skill", "ece", "seconds_p50", "seconds_p95"),
)
PLAYED = ("healed", "harmed", "regression_valid")
MARKS = ("verdict_right", "kind_at_1", "object_at_1", "both_at_3", "culprit_at_1", "grounded")
STYLE = """
:root { color-scheme: light dark; --ink: #1d2329; --paper: #fff; --soft: #f1f3f5; --line: #d5dae0; --good: #2a7d4f;
  --bad: #b3372f; --mark: #2f6db3 }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e6ea; --paper: #16191d; --soft: #22272d; --line: #3a414a;
  --good: #6cc494; --bad: #ee8780; --mark: #7fb2ee } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto;
  max-width: 78rem; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2.2rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100% }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top }
th { font-weight: 600 } td.number { text-align: right } .wide { overflow-x: auto } .pictures { display: flex;
  flex-wrap: wrap; gap: 2rem; align-items: flex-start } .yes { color: var(--good) } .no { color: var(--bad) }
tr.wrong { background: var(--soft) } .quiet { opacity: .7 } code { font-size: .86em; overflow-wrap: anywhere }
svg text { font: 11px system-ui, sans-serif; fill: var(--ink) } svg .grid { stroke: var(--line) }
svg .ideal { stroke: var(--ink); stroke-dasharray: 4 4; opacity: .5 } svg .curve { fill: none; stroke: var(--mark);
  stroke-width: 2 } svg .dot, svg .right { fill: var(--mark) } svg .rest { fill: var(--soft) }
"""


def page(report: Json) -> str:
    """The page of a report. Everything that comes from an incident is escaped."""
    parts = [
        "<h1>Incidents, diagnosed and scored</h1>",
        f'<p class="quiet">Stage {escape(report["stage"])}. Shares are between 0 and 1; a dash where none applies.</p>',
        "<h2>Totals</h2>",
        _totals(report),
        "<h2>Is the confidence true?</h2>",
        _confidence(report),
        "<h2>Families</h2>",
        family_bars(report["families"]),
        "<h2>Incidents</h2>",
        _incidents(report["incidents"]),
        *_told_differently(report["variations"]),
        *_problems(report["problems"]),
    ]
    head = f'<meta charset="utf-8"><title>sre-bot eval</title><style>{STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def _totals(report: Json) -> str:
    columns = TOTALS + (PLAYED if report["stage"] == "full" else ())
    groups = {"all": report["summary"], **report["splits"], **report["baselines"]}
    rows = [
        [_words(name), *(_number(totals[column]) for column in columns)]
        for name, totals in groups.items()
        if totals["incidents"]
    ]
    return _table(["", *map(_words, columns)], rows)


def _confidence(report: Json) -> str:
    summary, calibration = report["summary"], report["calibration"]
    sentences: list[str] = []
    if summary["ece_interval"]:
        low, high = summary["ece_interval"]
        sentences.append(f"Expected calibration error {summary['ece']:.3f} (95 % interval {low:.3f} to {high:.3f}).")
    if bold := summary["bold_errors"]:
        sentences.append(
            f"Of {bold['stated']} answers stated above 0.9, {bold['errors']} were wrong; {bold['expected']:.1f} were "
            f"to be expected, and chance alone gives so many or more with probability {bold['chance']:.2f}."
        )
    if calibration:
        sentences.append(
            f"Fitted on the tuned split, slope {calibration['slope']:.2f} and shift {calibration['shift']:+.2f} would "
            f"change its Brier score from {_number(calibration['brier_before'])} to "
            f"{_number(calibration['brier_after'])}, the kept split's from {_number(calibration['kept_before'])} "
            f"to {_number(calibration['kept_after'])}."
        )
    said = "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
    return f'<div class="pictures">{reliability_curve(report["reliability"])}<div>{said}</div></div>'


def _incidents(incidents: Iterable[Json]) -> str:
    head = ["incident", "split", "family", "expected", "answered", "sure", *map(_words, MARKS)]
    body = "".join(_incident(one) for one in incidents)
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    return f'<div class="wide"><table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>'


def _incident(one: Json) -> str:
    marks, first = one["marks"], one["hypotheses"][0] if one["hypotheses"] else None
    wrong = not marks["verdict_right"] or marks["both_at_1"] is False or marks["culprit_at_1"] is False
    named = f"{first['kind']} {first['object']}" if first else "nothing named"
    causes = "; ".join(f"{cause['kind']} {_patterns(cause['object'])}" for cause in one["expected"]["root_cause"])
    cells = [
        escape(one["incident"]),
        escape(one["split"]),
        escape(one["family"]),
        f"{escape(one['expected']['verdict'])}<br><code>{escape(causes)}</code>",
        f"{escape(one['verdict'])}<br><code>{escape(named)}</code>{_complaint(first)}",
        f"{first['confidence']:.2f}" if first else "-",
        *(_mark(marks[name]) for name in MARKS),
    ]
    row = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr class="wrong">{row}</tr>' if wrong else f"<tr>{row}</tr>"


def _complaint(first: Json | None) -> str:
    return f'<br><span class="no">{escape(first["ungrounded"])}</span>' if first and first["ungrounded"] else ""


def _told_differently(variations: Iterable[Json]) -> Iterable[str]:
    for one in variations:
        sort = {"rename": "Under other names", "shuffle": "In another order"}[one["sort"]]
        changed = ", ".join(one["changed"]) or "none"
        yield f"<h2>{sort}</h2><p>{one['incidents']} told differently; answers that changed: {escape(changed)}.</p>"


def _problems(problems: Iterable[Json]) -> Iterable[str]:
    told = "".join(f"<li><code>{escape(one['folder'])}</code>: {escape(one['problem'])}</li>" for one in problems)
    return [f"<h2>Not scored</h2><ul>{told}</ul>"] if told else []


def _table(head: list[str], rows: list[list[str]]) -> str:
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        f"<tr>{''.join(f'<td{_class(place)}>{escape(cell)}</td>' for place, cell in enumerate(row))}</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>'


def _class(place: int) -> str:
    return ' class="number"' if place else ""


def _mark(right: bool | None) -> str:
    return {True: '<span class="yes">✓</span>', False: '<span class="no">✗</span>', None: "-"}[right]


def _patterns(written: Any) -> str:
    return written if isinstance(written, str) else " or ".join(written)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def _words(name: str) -> str:
    return name.replace("_", " ")
