"""Which file of a dump is the log of which container, in the layouts that tools write."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sre_bot.tools.dump_files import DumpFile
from sre_bot.tools.log_choice import LogWish

_NAME = r"[A-Za-z0-9][\w.-]*"
_INCIDENT = re.compile(rf"(?:^|/)logs/({_NAME})/({_NAME})/({_NAME}?)(\.previous)?\.log$")
_MUST_GATHER = re.compile(
    rf"(?:^|/)namespaces/({_NAME})/pods/({_NAME})/({_NAME})/[^/]+/logs/(?:current|(previous))(?:\.insecure)?\.log$"
)
_CLUSTER_INFO = re.compile(rf"(?:^|/)({_NAME})/({_NAME})/logs\.txt$")
_START = re.compile(rf"^==== START logs for container (\S+) of pod ({_NAME})/({_NAME}) ====$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class LogFile:
    """One container's log: a file of its own."""

    wish: LogWish
    file: DumpFile


def log_file(file: DumpFile) -> LogFile | None:
    """The log that a file is, by its place: that of an incident folder or of a must-gather; None for any other."""
    for pattern in (_INCIDENT, _MUST_GATHER):
        if match := pattern.search(file.name):
            return LogFile(LogWish(match[1], match[2], match[3], previous=bool(match[4])), file)
    return None


def holds_sections(file: DumpFile) -> bool:
    """Whether a file is the ``logs.txt`` of a pod in the tree of ``kubectl cluster-info dump``."""
    return _CLUSTER_INFO.search(file.name) is not None


def sections(text: str) -> Iterator[tuple[LogWish, str]]:
    """The containers' logs of a ``logs.txt``, or of the whole of ``kubectl cluster-info dump`` in one text."""
    starts = list(_START.finditer(text))
    for match, following in zip(starts, [*starts[1:], None], strict=False):
        until = following.start() if following else len(text)
        end = text.find(_closing(match), match.end(), until)
        body = text[match.end() + 1 : until if end < 0 else end]
        yield LogWish(namespace=match[2], pod=match[3], container=match[1]), body


def without_sections(text: str) -> str:
    """The text of a dump without the logs in it."""
    if "==== START logs for container " not in text:
        return text
    kept: list[str] = []
    at = 0
    for match in _START.finditer(text):
        if match.start() < at:
            continue
        kept.append(text[at : match.start()])
        end = text.find(_closing(match), match.end())
        at = len(text) if end < 0 else end + len(_closing(match))
    return "".join([*kept, text[at:]])


def _closing(start: re.Match[str]) -> str:
    return f"==== END logs for container {start[1]} of pod {start[2]}/{start[3]} ===="
