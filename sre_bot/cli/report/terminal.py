"""A report for the terminal: the cause first, the evidence under it, what changed, what would help."""

from collections.abc import Iterator
from datetime import datetime
from typing import TypeVar

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from sre_bot.cli.report.contents import Cause, Change, Piece, Proposal, Report
from sre_bot.cli.report.wording import HEADS, verdict_of
from sre_bot.cli.report.writing import rough

T = TypeVar("T")
FEW = 4
"""Pieces of evidence, symptoms and unseen things that are shown without ``--explain``."""


def print_report(out: Console, report: Report, *, explain: bool) -> None:
    """Print a report; with ``explain`` the whole chain of evidence, with ids."""
    out.print(_heading(report))
    if report.healthy:
        out.print(Text("✓ ", "bold green"), Text(report.summary), sep="")
        _print_calm(out, report, explain=explain)
    elif not report.causes:
        out.print(Text("? ", "bold yellow"), Text(report.summary), sep="")
    for cause in () if report.healthy else report.causes:
        out.print(_cause(cause, report, explain=explain))
    if report.more and not report.healthy:
        out.print(Text(f"{report.more} more, less likely: --top {len(report.causes) + report.more}", "dim"))
    _print_possible(out, report, explain=explain)
    _print_end(out, report, explain=explain)


def _heading(report: Report) -> RenderableType:
    where = ", ".join(report.namespaces[:6]) + (" …" if len(report.namespaces) > 6 else "")
    read = f"{report.objects} objects, {report.events} events, {report.logs} logs at {_moment(report.taken_at)}"
    lines = [Text.assemble((where or "no namespace", "bold"), f"  {report.source}"), Text(read, "dim")]
    if report.repository:
        lines.append(Text(report.repository, "dim"))
    return Group(*lines, Text())


def _print_calm(out: Console, report: Report, *, explain: bool) -> None:
    recovered = [cause for cause in report.causes if cause.kind == "recovered"]
    for cause in report.causes if explain else recovered:
        out.print(Padding(_bullet(Text(cause.message)), (0, 0, 0, 2)))
        if explain:
            out.print(Padding(_evidence(cause.evidence, whole=True), (0, 0, 0, 4)))


def _print_possible(out: Console, report: Report, *, explain: bool) -> None:
    """What nothing excludes; of a healthy cluster only on demand."""
    if not report.possible or (report.healthy and not explain):
        return
    out.print(Text("If something is wrong all the same" if report.healthy else HEADS["possible"], "bold"))
    for cause in report.possible:
        head = Text.assemble(
            (f"{cause.confidence:.0%}  ", "dim"), cause.kind.replace("_", " "), "  ", (cause.object, "cyan")
        )
        out.print(Padding(_bullet(head, Text(cause.message, "dim")), (0, 0, 0, 2)))
        if explain:
            out.print(Padding(_evidence(cause.evidence, whole=True), (0, 0, 0, 4)))
    out.print()


def _cause(cause: Cause, report: Report, *, explain: bool) -> RenderableType:
    parts: list[RenderableType] = [_title(cause), Padding(_claim(cause, report), (0, 0, 0, 2))]
    brief = cause.relation == "alternative" and not explain
    sections = () if brief else _sections(cause, explain=explain)
    for name, body in sections:
        parts += [Text(f"\n  {name}", "bold"), Padding(body, (0, 0, 0, 4))]
    return Group(*parts, Text())


def _title(cause: Cause) -> RenderableType:
    colour = "red" if cause.relation in ("cause", "independent") else "yellow"
    table = Table.grid(expand=True, padding=(0, 1))
    table.add_column(ratio=1)
    table.add_column(justify="right", no_wrap=True)
    name = Text.assemble(
        (f"{HEADS[cause.relation].upper()}  ", f"bold {colour}"),
        (cause.kind.replace("_", " "), "bold"),
        ("  ", ""),
        (cause.object, "cyan"),
    )
    table.add_row(name, Text(f"{_bar(cause.confidence)} {cause.confidence:.0%} sure", colour))
    return table


def _bar(share: float) -> str:
    full = round(10 * share)
    return "█" * full + "░" * (10 - full)


def _claim(cause: Cause, report: Report) -> RenderableType:
    lines = [Text(cause.message)]
    if cause.field:
        within = f" (container {cause.container})" if cause.container else ""
        lines.append(Text.assemble((f"{cause.field}{within}: ", "dim"), (cause.observed or "nothing", "red")))
        if cause.expected:
            lines[-1].append_text(Text.assemble((" → ", "dim"), (cause.expected, "green")))
    if cause.since:
        ago = rough(report.taken_at - cause.since)
        lines.append(Text(f"since {_moment(cause.since)} or before, {ago} before the snapshot", "dim"))
    return Group(*lines)


def _sections(cause: Cause, *, explain: bool) -> Iterator[tuple[str, RenderableType]]:
    yield "Evidence", _evidence(cause.evidence, whole=explain)
    if cause.explains:
        yield "It explains that", _list(cause.explains, whole=explain)
    if explain and cause.hurts:
        yield "It hurts", _list(cause.hurts, whole=True)
    if cause.unexplained:
        yield "It leaves unexplained that", _list(cause.unexplained, whole=explain)
    if explain and cause.against:
        yield "Against it", _list(cause.against, whole=True)
    if cause.changes:
        yield "What changed", Group(*(_change(one, explain=explain) for one in _few(cause.changes, whole=explain)))
    if cause.proposal.diff or cause.proposal.why_not:
        yield "Suggested fix", _proposal(cause.proposal)


def _evidence(pieces: tuple[Piece, ...], *, whole: bool) -> RenderableType:
    lines: list[RenderableType] = []
    for piece in _few(pieces, whole=whole):
        where = f"{piece.source} {piece.subject} {piece.locator}".strip()
        said = piece.excerpt if whole else " ".join(piece.excerpt.split())[:200]
        head = Text.assemble((where, "cyan"), (_at(piece.at), "dim"), (f"  [{piece.id}]" if whole else "", "dim"))
        lines.append(_bullet(head, Text(said, overflow="fold")))
    if len(pieces) > FEW and not whole:
        lines.append(Text(f"{len(pieces) - FEW} more pieces: --explain", "dim"))
    return Group(*lines)


def _change(change: Change, *, explain: bool) -> RenderableType:
    made = ", ".join(part for part in (change.author, _moment(change.at) if change.at else "", change.when) if part)
    lines: list[RenderableType] = [
        Text.assemble((change.sha, "yellow"), " ", (change.subject, "bold"), (f"  {made}", "dim")),
        Text(f"{change.reason}  ({change.path}, {change.score:.0%})"),
    ]
    return _bullet(*lines, *((_evidence(change.evidence, whole=True),) if explain else ()))


def _proposal(proposal: Proposal) -> RenderableType:
    if not proposal.diff:
        return Text(f"none: {proposal.why_not}", "dim")
    checks = Text(f"checked: {'; '.join(proposal.checks)}" if proposal.checks else "", "dim")
    diff = Syntax(proposal.diff.rstrip("\n"), "diff", background_color="default", word_wrap=True)
    return Group(Text(proposal.title), diff, checks)


def _list(items: tuple[str, ...], *, whole: bool) -> RenderableType:
    shown = _few(items, whole=whole)
    lines: list[RenderableType] = [_bullet(Text(one)) for one in shown]
    if len(items) > len(shown):
        lines.append(Text(f"{len(items) - len(shown)} more: --explain", "dim"))
    return Group(*lines)


def _bullet(*lines: RenderableType) -> RenderableType:
    """Lines with a mark before the first, all of them indented behind it."""
    table = Table.grid(padding=(0, 1))
    table.add_column()
    table.add_column(overflow="fold")
    table.add_row(Text("·", "dim"), Group(*lines))
    return table


def _few(items: tuple[T, ...], *, whole: bool) -> tuple[T, ...]:
    return items if whole else items[:FEW]


def _print_end(out: Console, report: Report, *, explain: bool) -> None:
    if report.unseen:
        out.print(Text("Could not be seen", "bold"))
        out.print(Padding(_list(report.unseen, whole=explain), (0, 0, 0, 2)))
    if not report.healthy:
        out.print(Rule(style="dim"))
        out.print(Text.assemble(("Verdict: ", "bold"), f"{verdict_of(report)}."))


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")


def _at(at: datetime | None) -> str:
    return f"  {_moment(at)}" if at else ""
