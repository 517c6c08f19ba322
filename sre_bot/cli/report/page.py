"""A report as one page for the browser: nothing is loaded, nothing runs, and every text in it is escaped."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from html import escape
from importlib.resources import files

from sre_bot.cli.report.contents import Cause, Change, Piece, Proposal, Report
from sre_bot.cli.report.timeline_chart import timeline_chart
from sre_bot.cli.report.topology_chart import topology_chart
from sre_bot.cli.report.wording import HEADS, verdict_of

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page_of(report: Report) -> str:
    """The page, whole: one HTML document with its styles and drawings in it."""
    style = files("sre_bot.cli.report").joinpath("page.css").read_text(encoding="utf-8")
    title = escape(_title(report))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{title}</title><style>{style}</style></head>"
        f"<body><main>{''.join(_body(report))}</main></body></html>\n"
    )


def _title(report: Report) -> str:
    if report.healthy or not report.causes:
        return f"{', '.join(report.namespaces) or 'the cluster'}: {verdict_of(report).lower()}"
    first = report.causes[0]
    return f"{first.kind.replace('_', ' ')} at {first.object}"


def _body(report: Report) -> Iterator[str]:
    yield _header(report)
    yield _drawing("What happened", timeline_chart(report))
    shown = report.causes if not report.healthy else tuple(one for one in report.causes if one.kind == "recovered")
    yield from (_cause(cause) for cause in shown)
    if report.more and not report.healthy:
        yield f'<p class="soft">{report.more} more, less likely causes are not shown.</p>'
    yield from _possible(report)
    yield _drawing("Who depends on it", topology_chart(report))
    if report.unseen:
        yield f"<section><h2>Could not be seen</h2>{_list(report.unseen)}</section>"
    read = f"{report.objects} objects, {report.events} events and {report.logs} logs were read"
    yield f"<footer>{read}. Secrets are masked; times are the cluster's, in UTC.</footer>"


def _possible(report: Report) -> Iterator[str]:
    """What nothing excludes, folded away where all is well."""
    if not report.possible:
        return
    rows = "".join(
        f"<li><b>{one.confidence:.0%}</b> {escape(one.kind.replace('_', ' '))} "
        f"<span class='soft'>{escape(one.object)}</span><div>{escape(one.message)}</div></li>"
        for one in report.possible
    )
    if report.healthy:
        yield f"<details><summary>If something is wrong all the same</summary><ul>{rows}</ul></details>"
    else:
        yield f"<section><h2>{HEADS['possible']}</h2><ul>{rows}</ul></section>"


def _header(report: Report) -> str:
    look, mark = ("good", "well") if report.healthy else ("bad", "something is wrong")
    verdict = verdict_of(report)
    where = " · ".join(filter(None, (", ".join(report.namespaces), report.source, report.repository)))
    return (
        f'<header><span class="tag {look}">{mark}</span><h1>{escape(_title(report))}</h1>'
        f"<p>{escape(report.summary)}</p>"
        f'<p class="meta">{escape(where)} · {_moment(report.taken_at)} · <b>{escape(verdict)}</b></p></header>'
    )


def _drawing(title: str, svg: str) -> str:
    return f'<section><h2>{title}</h2><div class="drawing">{svg}</div></section>' if svg else ""


def _cause(cause: Cause) -> str:
    parts = [_claim(cause), *_sections(cause)]
    return f'<section class="{cause.relation}">{"".join(parts)}</section>'


def _claim(cause: Cause) -> str:
    kind = escape(cause.kind.replace("_", " "))
    since = f'<p class="meta">since {_moment(cause.since)} or before</p>' if cause.since else ""
    return (
        f'<div class="top"><div><span class="soft">{HEADS[cause.relation]}</span>'
        f"<h2>{kind} <span class='soft'>{escape(cause.object)}</span></h2><p>{escape(cause.message)}</p></div>"
        f'<div class="sure"><b>{cause.confidence:.0%}</b>sure<br>'
        f'<meter min="0" max="1" low=".5" high=".75" optimum="1" value="{cause.confidence:.3f}"></meter></div></div>'
        f"{_field(cause)}{since}"
    )


def _field(cause: Cause) -> str:
    if not cause.field:
        return ""
    within = f" (container {escape(cause.container)})" if cause.container else ""
    should = f' → <code class="should">{escape(cause.expected)}</code>' if cause.expected else ""
    observed = escape(cause.observed or "nothing")
    return (
        f'<p class="field"><code>{escape(cause.field)}</code>{within}: <code class="is">{observed}</code>{should}</p>'
    )


def _sections(cause: Cause) -> Iterator[str]:
    yield f"<h3>Evidence</h3>{_pieces(cause.evidence)}"
    lists = {
        "It explains that": cause.explains,
        "It leaves unexplained that": cause.unexplained,
        "It hurts": cause.hurts,
    }
    for name, items in lists.items():
        if items:
            yield f"<h3>{name}</h3>{_list(items)}"
    if cause.changes:
        yield f'<h3>What changed</h3><ol class="pieces">{"".join(map(_change, cause.changes))}</ol>'
    yield from _proposal(cause.proposal)


def _pieces(pieces: Iterable[Piece]) -> str:
    return f'<ol class="pieces">{"".join(map(_piece, pieces))}</ol>'


def _piece(piece: Piece) -> str:
    at = f" · {_moment(piece.at)}" if piece.at else ""
    where = f"<b>{escape(piece.subject)}</b> {escape(piece.locator)}{at}"
    return (
        f'<li><div class="where">{piece.source} {where} <span class="id">{escape(piece.id)}</span></div>'
        f'<div class="quote">{escape(piece.excerpt)}</div></li>'
    )


def _change(change: Change) -> str:
    made = " · ".join(filter(None, (change.author, _moment(change.at) if change.at else "", change.when)))
    return (
        f"<li><b>{escape(change.subject)}</b> <code>{escape(change.sha)}</code>"
        f'<div class="where">{escape(made)} · explains it {change.score:.0%}</div>'
        f"<div>{escape(change.reason)} <span class='soft'>({escape(change.path)})</span></div></li>"
    )


def _proposal(proposal: Proposal) -> Iterator[str]:
    if proposal.diff:
        checks = f'<p class="meta">Checked: {escape("; ".join(proposal.checks))}</p>' if proposal.checks else ""
        risk = f'<p class="meta">Risk: {escape(proposal.risk)}</p>' if proposal.risk else ""
        yield f"<h3>Suggested fix</h3><p>{escape(proposal.title)}</p>{_diff(proposal.diff)}{risk}{checks}"
    elif proposal.why_not:
        yield f'<h3>Suggested fix</h3><p class="soft">None: {escape(proposal.why_not)}</p>'


def _diff(diff: str) -> str:
    return f'<pre class="diff">{"".join(map(_diff_line, diff.splitlines()))}</pre>'


def _diff_line(text: str) -> str:
    looks = {"+++": "file", "---": "file", "@@ ": "at"}
    look = looks.get(text[:3]) or {"+": "add", "-": "del"}.get(text[:1], "")
    return f'<span class="{look}">{escape(text) or " "}</span>'


def _list(items: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(one)}</li>' for one in items)}</ul>"


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")
