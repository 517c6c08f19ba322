"""What a process and its descendants use, read from ``/proc``. Processes that end meanwhile count as nothing."""

import os
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")


def tree_of(pid: int) -> tuple[int, ...]:
    """The process and all its descendants."""
    found, pending = list[int](), [pid]
    while pending:
        one = pending.pop()
        found.append(one)
        pending += _children(one)
    return tuple(found)


def _children(pid: int) -> list[int]:
    try:
        texts = [(task / "children").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return []
    return [int(child) for text in texts for child in text.split()]


def use_of(pids: tuple[int, ...]) -> tuple[int, int]:
    """How many processes live, and their resident memory together in bytes; shared pages count for each."""
    pages = [pages for pid in pids if (pages := _resident_pages(pid)) is not None]
    return len(pages), sum(pages) * _PAGE


def _resident_pages(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return None
