"""Which commit changed the code that a stack trace runs through."""

import re
from collections.abc import Iterator

from sre_bot.domain.finding import Finding
from sre_bot.reasoning.charges import Charge
from sre_bot.reasoning.frames import CODE, MappedFrame, MappedTrace
from sre_bot.reasoning.source import SourceReport
from sre_bot.reasoning.versions import Version, changed_lines, hunks

_SYMBOL = re.compile(r"['\"`]([A-Za-z_][\w.]*)['\"`]|\b([a-z]+[A-Z]\w*|\w+_\w+)\b|\(reading '([^']+)'\)")
_NEAR = 12


def code_blame(finding: Finding, source: SourceReport, version: Version) -> Iterator[Charge]:
    """The charge against one commit's change of one file, from the frames of the traces that the finding stands for."""
    for trace in _traces(finding, source):
        for depth, frame in enumerate(trace.frames[:6]):
            if frame.path not in (version.path, version.change.old_path):
                continue
            score, reasons = _score(trace, frame, depth, version)
            where = f"{frame.path}:{frame.line}"
            yield Charge(score, f"it changed {where}, {', '.join(reasons)}", version.path, _excerpt(version))
    yield from _vanished_symbol(finding, source, version)
    if not any(True for _ in _traces(finding, source)):
        yield from _own_folder(finding, version)


def _own_folder(finding: Finding, version: Version) -> Iterator[Charge]:
    """Without a trace: code in a folder or file that is named like the workload, the more so by the error's words."""
    parts = re.split(r"[/._]", version.path.lower())
    if not version.path.endswith(CODE) or finding.object.name.lower() not in parts or "test" in parts:
        return
    known = set(re.findall(r"[A-Za-z_]{5,}", finding.observed))
    shared = known & _words(version)
    said = f"it changed {version.path}" + (f", which the error speaks of ({sorted(shared)[0]})" if shared else "")
    yield Charge(0.65 if shared else 0.45, said, version.path, _excerpt(version))


def _traces(finding: Finding, source: SourceReport) -> Iterator[MappedTrace]:
    same = [trace for trace in source.traces if trace.workload == finding.object and trace.header == finding.observed]
    yield from same or [trace for trace in source.traces if trace.workload == finding.object]


def _score(trace: MappedTrace, frame: MappedFrame, depth: int, version: Version) -> tuple[float, list[str]]:
    score, reasons = (
        0.6 - 0.04 * depth,
        ["a file of the stack trace" if depth else "the innermost file of the stack trace"],
    )
    if _touches_line(version, frame.line):
        score, reasons = score + 0.2, [*reasons, "at that very place"]
    elif frame.function and _touches_function(version, frame.function):
        score, reasons = score + 0.12, [*reasons, f"in {frame.function}"]
    if _symbols(trace) & _words(version):
        score, reasons = score + 0.15, [*reasons, "touching what the error names"]
    return min(score, 0.95), reasons


def _touches_line(version: Version, line: int) -> bool:
    spans = ((hunk.start, hunk.start + len(hunk.new)) for hunk in hunks(version.change.patch))
    return any(start - 1 <= line <= end + 1 for start, end in spans)


def _touches_function(version: Version, function: str) -> bool:
    name = function.rsplit(".", 1)[-1]
    return bool(name) and re.search(rf"\b{re.escape(name)}\b", version.change.patch) is not None


def _symbols(trace: MappedTrace) -> set[str]:
    found = {next(group for group in match.groups() if group) for match in _SYMBOL.finditer(trace.message)}
    return {part for symbol in found for part in (symbol, symbol.rsplit(".", 1)[-1])}


def _words(version: Version) -> set[str]:
    removed, added = changed_lines(version.change.patch)
    return {word for line in (*removed, *added) for word in re.findall(r"[A-Za-z_]\w*", line)}


def _vanished_symbol(finding: Finding, source: SourceReport, version: Version) -> Iterator[Charge]:
    """A name that the error misses and that this commit removed, wherever it stood: a shared library, an old import."""
    removed, added = changed_lines(version.change.patch)
    for trace in _traces(finding, source):
        for symbol in sorted(_symbols(trace)):
            define = re.compile(
                rf"(?:def|class|function|func|const|let|var|export|type|interface|public|private)\b[^\n]*\b{re.escape(symbol)}\b|^\s*['\"]?{re.escape(symbol)}['\"]?\s*[:=]"
            )
            if any(define.search(line) for line in removed) and not any(define.search(line) for line in added):
                yield Charge(0.85, f"it removed {symbol}, which the error misses", version.path, _excerpt(version))


def _excerpt(version: Version) -> str:
    return "\n".join(line for hunk in hunks(version.change.patch) for line in hunk.lines if line[:1] in "+-")[:500]
