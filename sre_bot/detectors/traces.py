"""Stack traces read from logs: Python, Node, Java, Go, Ruby, .NET, PHP. Innermost frame first."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_PYTHON = re.compile(
    r"Traceback \(most recent call last\):\n((?:(?!Traceback)[ \t|+].*\n)+)(?:[ \t|]*)([A-Za-z_][\w.]*(?:Error"
    r"|Exception|Exit|Interrupt|Warning|[A-Z]\w+))(?:: (.*))?"
)
_PYTHON_FRAME = re.compile(r'File "([^"]+)", line (\d+)(?:, in (\S+))?')
_NODE = re.compile(
    r"(?:^|\n|\s|\")((?:Uncaught )?[A-Z]\w*(?:Error|Exception)?)(?: \[\w+\])?: ([^\n]*)\n((?:[ \t]+at .+(?:\n|$))+)"
)
_NODE_FRAME = re.compile(
    r"at (?:async )?(?:new )?([\w$.<>\[\] ]*?) ?\(?(?:file://)?((?:/|\w:|\.|node:)[^\s():]*|[\w@./-]+\.[cm]?[jt]sx?):(\d+):\d+\)?"
)
_JAVA = re.compile(
    r"(?:^|\n|\s)(?:Caused by: |Exception in thread \"[^\"]*\" )?((?:[a-z_][\w$]*\.)+[A-Z][\w$]*(?:Exception|Error"
    r"|Throwable)?)(?:: ([^\n]*))?\n((?:[ \t]+(?:at |\.\.\. ).+(?:\n|$))+)"
)
_JAVA_FRAME = re.compile(r"at (?:[\w.@/-]+/)?([\w$.<>]+)\.([\w$<>]+)\(([\w$]+\.(?:java|kt|scala|groovy)):(\d+)\)")
_GO = re.compile(r"(panic: [^\n]*|fatal error: [^\n]*)\n(?:\[[^\n]*\n)?\s*goroutine \d+ [^\n]*\n((?:[^\n]+\n?)+)")
_GO_FRAME = re.compile(r"^(\S[^\n]*?)\([^\n]*\)\n\s+(\S+\.go):(\d+)", re.MULTILINE)
_DOTNET = re.compile(r"(?:Unhandled exception\. )?((?:\w+\.)+\w*Exception): ([^\n]*)\n((?:\s+at .+(?:\n|$))+)")
_DOTNET_FRAME = re.compile(r"at ([\w.<>`]+)\([^)]*\)(?: in ([^\n:]+(?::[\\/][^\n:]+)?):line (\d+))")
_RUBY = re.compile(r"(\S+\.rb):(\d+):in [`']([^']+)': ([^\n]*?) \(([A-Z]\w*(?:::\w+)*)\)((?:\n\s+from [^\n]+)*)")
_RUBY_FRAME = re.compile(r"from (\S+\.rb):(\d+):in [`']([^']+)'")
_PHP = re.compile(r"PHP Fatal error:\s+Uncaught (\w+(?:Error|Exception)): ([^\n]*?) in (\S+\.php):(\d+)")
_FOREIGN = re.compile(
    r"site-packages|dist-packages|node_modules|^node:|internal/|/lib/python\d|<frozen|/usr/local/go/|/go/pkg/mod/|^runtime/|/usr/lib/"
    r"|/usr/local/bundle|/gems/"
)
_FOREIGN_CLASS = re.compile(
    r"^(?:java|javax|jdk|sun|com\.sun|org\.springframework|org\.apache|io\.netty|reactor|org\.hibernate|kotlin|scala|com\.zaxxer)\."
)
_WINDOW = 2_000_000


@dataclass(frozen=True, slots=True)
class Frame:
    """One call: the file as the run-time names it, the line (0 where unknown), the function."""

    file: str
    line: int
    function: str
    own: bool = True


@dataclass(frozen=True, slots=True)
class Trace:
    """One stack trace: the error's name, its message, the frames innermost first, and where its header stands."""

    error: str
    message: str
    frames: tuple[Frame, ...]
    offset: int
    header: str

    @property
    def own(self) -> tuple[Frame, ...]:
        """The frames that are not of the run-time or of installed libraries."""
        return tuple(frame for frame in self.frames if frame.own)

    @property
    def signature(self) -> tuple[str, ...]:
        """What makes two traces the same fault."""
        return (self.error, *(f"{frame.file}:{frame.line}" for frame in self.own[:3]))


def traces(text: str) -> tuple[Trace, ...]:
    """The distinct stack traces of a log, the newest last. Of a very long log the end is read."""
    window = text[-_WINDOW:]
    if "\\n" in window and ("\\n\\tat " in window or "\\n  File " in window or "\\n    at " in window):
        window = window.replace("\\n", "\n").replace("\\t", "\t").replace('\\"', '"')
    found: dict[tuple[str, ...], Trace] = {}
    for reader in _READERS:
        for trace in reader(window):
            found.pop(trace.signature, None)
            found[trace.signature] = trace
    return tuple(sorted(found.values(), key=lambda trace: (trace.offset, trace.header)))


def _python(text: str) -> Iterator[Trace]:
    if "Traceback" not in text:
        return
    for match in _PYTHON.finditer(text):
        frames = tuple(_frame(f[1], f[2], f[3] or "") for f in reversed(list(_PYTHON_FRAME.finditer(match[1]))))
        header = f"{match[2]}: {match[3]}" if match[3] else match[2]
        yield Trace(match[2], match[3] or "", frames, match.start(), header)


def _node(text: str) -> Iterator[Trace]:
    if "    at " not in text:
        return
    for match in _NODE.finditer(text):
        frames = tuple(_frame(f[2], f[3], f[1].strip()) for f in _NODE_FRAME.finditer(match[3]))
        if frames:
            yield Trace(match[1].removeprefix("Uncaught "), match[2], frames, match.start(), f"{match[1]}: {match[2]}")


def _java(text: str) -> Iterator[Trace]:
    if "at " not in text:
        return
    for match in _JAVA.finditer(text):
        frames = tuple(
            Frame(
                f"{f[1].split('$')[0].rpartition('.')[0].replace('.', '/')}/{f[3]}",
                int(f[4]),
                f[2],
                not _FOREIGN_CLASS.match(f[1]),
            )
            for f in _JAVA_FRAME.finditer(match[3])
        )
        if frames:
            header = f"{match[1]}: {match[2]}" if match[2] else match[1]
            yield Trace(match[1].rpartition(".")[2], match[2] or "", frames, match.start(), header)


def _go(text: str) -> Iterator[Trace]:
    if "goroutine " not in text:
        return
    for match in _GO.finditer(text):
        frames = tuple(_frame(f[2], f[3], f[1].rpartition(".")[2]) for f in _GO_FRAME.finditer(match[2]))
        error, _, message = match[1].partition(": ")
        yield Trace(error, message, frames, match.start(), match[1])


def _dotnet(text: str) -> Iterator[Trace]:
    if ":line " not in text:
        return
    for match in _DOTNET.finditer(text):
        frames = tuple(
            _frame(f[2].replace("\\", "/"), f[3], f[1].rpartition(".")[2]) for f in _DOTNET_FRAME.finditer(match[3])
        )
        if frames:
            yield Trace(match[1].rpartition(".")[2], match[2], frames, match.start(), f"{match[1]}: {match[2]}")


def _ruby(text: str) -> Iterator[Trace]:
    if ".rb:" not in text:
        return
    for match in _RUBY.finditer(text):
        rest = tuple(_frame(f[1], f[2], f[3]) for f in _RUBY_FRAME.finditer(match[6]))
        yield Trace(
            match[5], match[4], (_frame(match[1], match[2], match[3]), *rest), match.start(), f"{match[5]}: {match[4]}"
        )


def _php(text: str) -> Iterator[Trace]:
    if "PHP Fatal" not in text:
        return
    for match in _PHP.finditer(text):
        yield Trace(match[1], match[2], (_frame(match[3], match[4], ""),), match.start(), f"{match[1]}: {match[2]}")


def _frame(file: str, line: str, function: str) -> Frame:
    return Frame(file, int(line), function, not _FOREIGN.search(file))


_READERS: tuple[Callable[[str], Iterator[Trace]], ...] = (_python, _node, _java, _go, _dotnet, _ruby, _php)
