"""Stack traces read from logs: Python, Node, Java, Go, Ruby, .NET, PHP, Rust, Elixir. Innermost frame first.

The forms are those that the run-times print themselves, and those of servers that catch a failure and go on: Go's
``net/http`` (https://pkg.go.dev/net/http#Handler), gin's recovery, Rails, Laravel and Symfony.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sre_bot.detectors.fields import whole

_PYTHON = re.compile(
    r"Traceback \(most recent call last\):\n((?:(?!Traceback)[ \t|+].*\n)+)(?:[ \t|]*)([A-Za-z_][\w.]*(?:Error"
    r"|Exception|Exit|Interrupt|Warning|[A-Z]\w+))(?:: (.*))?"
)
_PYTHON_FRAME = re.compile(r'File "([^"]+)", line (\d+)(?:, in (\S+))?')
_NODE = re.compile(
    r"(?:^|\n|\s|\")((?:Uncaught )?[A-Z]\w*(?:Error|Exception)?)(?: \[\w+\])?: ([^\n]{0,4000})\n"
    r"((?:[ \t]+at .+(?:\n|$))+)"
)
_NODE_FRAME = re.compile(
    r"at (?:async )?(?:new )?([\w$.<>\[\] ]{0,200}?) ?\(?(?:file://)?((?:/|\w:|\.|node:)[^\s():]{0,500}|[\w@./-]{1,300}\.[cm]?[jt]sx?):(\d+):\d+\)?"
)
_JAVA = re.compile(
    r"(?:^|\n|\s)(?:Caused by: |Exception in thread \"[^\"]*\" )?((?:[a-z_][\w$]*\.)+[A-Z][\w$]*(?:Exception|Error"
    r"|Throwable)?)(?:: ([^\n]{0,4000}))?\n((?:[ \t]+(?:at |\.\.\. ).+(?:\n|$))+)"
)
_JAVA_FRAME = re.compile(r"at (?:[\w.@/-]+/)?([\w$.<>]+)\.([\w$<>]+)\(([\w$]+\.(?:java|kt|scala|groovy)):(\d+)\)")
_GO = re.compile(
    r"(?:http: panic serving \S+: |[Pp]anic recovered: |Observed a panic: |((?:panic|fatal error): ))([^\n]{0,4000})\n"
    r"(?:\[[^\n]*\n)?\s*goroutine \d+ [^\n]*\n((?:(?:\S[^\n]*\)|created by [^\n]*|goroutine [^\n]*|[ \t]+[^\n]*|)\n?)+)"
)
_GIN = re.compile(r"^([^\n]{1,500})\n((?:/\S{1,300}\.go:\d+ \(0x[0-9a-f]+\)\n(?:[ \t][^\n]*(?:\n|$))?)+)", re.MULTILINE)
_GIN_FRAME = re.compile(r"^(/\S+\.go):(\d+) \(0x[0-9a-f]+\)(?:\n[ \t]+([\w.()*]+):)?", re.MULTILINE)
_GO_FRAME = re.compile(r"^(\S[^\n]*)\([^()\n]*\)\n\s+(\S+\.go):(\d+)", re.MULTILINE)
_DOTNET = re.compile(
    r"(?:Unhandled exception\. )?(?<![\w.])((?:\w+\.)+\w*Exception): ([^\n]{0,4000})\n((?:\s+at .+(?:\n|$))+)"
)
_DOTNET_FRAME = re.compile(r"at ([\w.<>`+|\[\]]+)\([^)\n]*\)(?: in ([^\n:]+(?::[\\/][^\n:]+)?):line (\d+))?")
_RUBY = re.compile(
    r"(\S{1,300}\.rb):(\d+):in [`']([^'\n]{1,300})': ([^\n]{0,4000}?) \(([A-Z]\w*(?:::\w+)*)\)"
    r"((?:\n\s+from [^\n]+)*)"
)
_RUBY_FRAME = re.compile(r"from (\S+\.rb):(\d+):in [`']([^']+)'")
_RAILS = re.compile(
    r"(?:^|[\s\]])([A-Z]\w*(?:::\w+)*) \(([^\n]{0,2000})\):[^\n]{0,80}\n"
    r"((?:(?:\[[^\]\n]*\])?[ \t]*(?:\S+\.rb:\d+:in [^\n]*)?\n)*(?:\[[^\]\n]*\])?[ \t]*\S+\.rb:\d+:in [^\n]*)"
)
_RAILS_FRAME = re.compile(r"(?<!\S)(\S{1,300}\.rb):(\d+):in [`']([^'\n]+)'")
_PHP = re.compile(
    r"Uncaught (?:PHP Exception )?\\?([\w\\]+): \"?([^\n]{0,1000}?)\"? (?:in|at) (/\S{1,300}?\.php)"
    r"(?:\(|:| line | on line )(\d+)"
    r"|\(\\?([\w\\]+)\(code: \w+\): ([^\n]{0,1000}?) at (/\S{1,300}?\.php):(\d+)\)"
)
_PHP_FRAME = re.compile(r"#\d+ (/\S+?\.php)\((\d+)\): ([\w\\:>-]+)")
_RUST = re.compile(
    r"thread '[^']{0,200}'(?: \(\d+\))? panicked at "
    r"(?:'([^\n]{0,4000})', (\S{1,300}\.rs):(\d+):\d+|(\S{1,300}\.rs):(\d+):\d+:\n([^\n]*))"
)
_ELIXIR = re.compile(r"\*\* \((\w[\w.]*)\) ([^\n]{0,4000})\n((?:[ \t]{2,}\S[^\n]*(?:\n|$))+)")
_ELIXIR_FRAME = re.compile(r"(?:\(([\w]+) [\d.]+\) )?(?<!\S)(\S{1,300}\.exs?):(\d+): ([^\n]*)")
_ELIXIR_FOREIGN = frozenset(
    {"elixir", "stdlib", "phoenix", "plug", "ecto", "ecto_sql", "bandit", "cowboy", "plug_cowboy"}
)
_FOREIGN = re.compile(
    r"site-packages|dist-packages|node_modules|^node:|^internal/|/lib/python\d|<frozen|/usr/local/go/|/go/pkg/mod/|^runtime/|/usr/lib/"
    r"|/usr/local/bundle|/gems/|/vendor/|/rustc/|\.cargo/"
)
_FOREIGN_CLASS = re.compile(
    r"^(?:javax?|jakarta|jdk|sun|com\.sun|com\.google|com\.fasterxml|com\.mysql|com\.amazonaws|com\.zaxxer|software\.amazon"
    r"|org\.(?:springframework|apache|hibernate|eclipse|jboss|postgresql|junit|slf4j)|ch\.qos|feign|okhttp3|akka|play"
    r"|io\.(?:netty|vertx|quarkus|grpc|lettuce|micrometer|micronaut|ktor|undertow|smallrye)"
    r"|redis\.clients|reactor|kotlinx?|scala)\."
)
_FOREIGN_NAMESPACE = re.compile(
    r"^(?:System|Microsoft|Npgsql|MySqlConnector|StackExchange|Grpc|Newtonsoft|Polly|lambda_method)\b"
)
_WINDOW = 2_000_000
_ESCAPED = ("\\n\\tat ", "\\n  File ", "\\n    at ", "\\n   at ", "\\n\\t/", "\\n#0 ", "\\n    from ")
"""How a stack trace looks in a string of JSON."""


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
    if "\\n" in window and any(sign in window for sign in _ESCAPED):
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
                whole(f[4]) or 0,
                f[2],
                not _FOREIGN_CLASS.match(f[1]),
            )
            for f in _JAVA_FRAME.finditer(match[3])
        )
        if frames:
            header = f"{match[1]}: {match[2]}" if match[2] else match[1]
            yield Trace(match[1].rpartition(".")[2], match[2] or "", frames, match.start(), header)


def _go(text: str) -> Iterator[Trace]:
    if "goroutine " in text:
        for match in _GO.finditer(text):
            frames = tuple(_frame(f[2], f[3], f[1].rpartition(".")[2]) for f in _GO_FRAME.finditer(match[3]))
            error = (match[1] or "panic: ").removesuffix(": ")
            yield Trace(error, match[2], frames, match.start(), f"{match[1] or ''}{match[2]}")
    if ".go:" in text and " (0x" in text:
        for match in _GIN.finditer(text):
            frames = tuple(_frame(f[1], f[2], f[3] or "") for f in _GIN_FRAME.finditer(match[2]))
            yield Trace("panic", match[1], frames, match.start(), match[1])


def _dotnet(text: str) -> Iterator[Trace]:
    if "Exception: " not in text:
        return
    for match in _DOTNET.finditer(text):
        frames = tuple(_dotnet_frame(f) for f in _DOTNET_FRAME.finditer(match[3]))
        if frames and not _JAVA_FRAME.search(match[3]):
            yield Trace(match[1].rpartition(".")[2], match[2], frames, match.start(), f"{match[1]}: {match[2]}")


def _dotnet_frame(found: re.Match[str]) -> Frame:
    """A frame; programs without symbols tell no file: then the file that is named like the class (C# conventions)."""
    owner, _, function = found[1].partition("<")[0].rpartition(".")
    file = found[2] or f"{owner.rpartition('.')[2]}.cs"
    own = not _FOREIGN_NAMESPACE.match(found[1]) and not _FOREIGN.search(file)
    return Frame(file.replace("\\", "/"), whole(found[3]) or 0, function, own)


def _ruby(text: str) -> Iterator[Trace]:
    if ".rb:" not in text:
        return
    for match in _RUBY.finditer(text):
        rest = tuple(_frame(f[1], f[2], f[3]) for f in _RUBY_FRAME.finditer(match[6]))
        yield Trace(
            match[5], match[4], (_frame(match[1], match[2], match[3]), *rest), match.start(), f"{match[5]}: {match[4]}"
        )
    for match in _RAILS.finditer(text):
        frames = tuple(_frame(f[1], f[2], f[3]) for f in _RAILS_FRAME.finditer(match[3]))
        if frames:
            yield Trace(match[1], match[2], frames, match.start(), f"{match[1]} ({match[2]})")


def _php(text: str) -> Iterator[Trace]:
    if ".php" not in text:
        return
    for match in _PHP.finditer(text):
        error, message, file, line = match.group(1, 2, 3, 4) if match[1] else match.group(5, 6, 7, 8)
        below = text[match.end() : match.end() + 4_000].split("\n\n")[0]
        rest = tuple(_frame(f[1], f[2], re.split(r"->|::", f[3])[-1]) for f in _PHP_FRAME.finditer(below))
        yield Trace(error, message, (_frame(file, line, ""), *rest), match.start(), f"{error}: {message}")


def _rust(text: str) -> Iterator[Trace]:
    if "panicked at" not in text:
        return
    for match in _RUST.finditer(text):
        message, file, line = (match[1], match[2], match[3]) if match[2] else (match[6], match[4], match[5])
        yield Trace("panic", message, (_frame(file, line, ""),), match.start(), message)


def _elixir(text: str) -> Iterator[Trace]:
    if "** (" not in text:
        return
    for match in _ELIXIR.finditer(text):
        frames = tuple(
            Frame(
                f[2], whole(f[3]) or 0, f[4].rpartition(".")[2].partition("/")[0], (f[1] or "") not in _ELIXIR_FOREIGN
            )
            for f in _ELIXIR_FRAME.finditer(match[3])
        )
        yield Trace(match[1], match[2], frames, match.start(), f"({match[1]}) {match[2]}")


def _frame(file: str, line: str, function: str) -> Frame:
    return Frame(file, whole(line) or 0, function, not _FOREIGN.search(file))


_READERS: tuple[Callable[[str], Iterator[Trace]], ...] = (
    _python,
    _node,
    _java,
    _go,
    _dotnet,
    _ruby,
    _php,
    _rust,
    _elixir,
)
