"""Reads what ``git diff-tree --stdin --raw -p`` prints: for each commit its files, then their patches."""

import re
from dataclasses import dataclass, field
from typing import Literal

from sre_bot.domain.source import FileChange

PATCH_LIMIT = 200_000
"""Bytes of patches that are kept of one commit; the file that would exceed it and all after it are only named."""

_SHA = re.compile(rb"[0-9a-f]{40,64}\n")
_STATUS: dict[str, Literal["added", "modified", "deleted", "renamed"]] = {
    "A": "added",
    "C": "added",
    "D": "deleted",
    "R": "renamed",
}
_ESCAPES = {b"a": 7, b"b": 8, b"t": 9, b"n": 10, b"v": 11, b"f": 12, b"r": 13}


@dataclass(slots=True)
class _Commit:
    changes: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    blocks: list[list[bytes]] = field(default_factory=list[list[bytes]])
    size: int = 0

    def add(self, line: bytes) -> None:
        if line.startswith(b"diff --git "):
            self.blocks.append([])
        elif line.startswith(b":") and not self.blocks:
            self.changes.append(_change(line))
        elif self.blocks:
            self._add_to_patch(line)

    def _add_to_patch(self, line: bytes) -> None:
        self.size += len(line)
        if self.size <= PATCH_LIMIT:
            self.blocks[-1].append(line)
        else:
            self.blocks[-1].clear()

    def files(self) -> tuple[FileChange, ...]:
        blocks = iter(self.blocks)
        found: list[FileChange] = []
        for status, old_path, path in self.changes:
            lines = next(blocks, [])
            if status == "T":
                lines = lines + next(blocks, [])  # a change of type is shown as a deletion and an addition
            found.append(_file(status, old_path, path, lines))
        return tuple(found)


class PatchReader:
    """Takes the lines one by one; ``changes`` holds the files of each commit seen so far, by sha."""

    def __init__(self) -> None:
        self._commits: dict[str, _Commit] = {}
        self._current = _Commit()

    def add(self, line: bytes) -> None:
        """Take one line, its end included. Content is always indented, so a bare sha begins a commit."""
        if _SHA.fullmatch(line):
            self._current = self._commits.setdefault(line.decode().strip(), _Commit())
        else:
            self._current.add(line)

    def changes(self, sha: str) -> tuple[FileChange, ...]:
        """The files of a commit, empty for merges and for commits that were not printed."""
        return self._commits[sha].files() if sha in self._commits else ()


def _change(line: bytes) -> tuple[str, str, str]:
    """Read a line of ``--raw``: status letter, old path, path."""
    about, *paths = line.rstrip(b"\n").split(b"\t")
    names = [_unquoted(path).decode(errors="replace") for path in paths]
    return about.split()[-1][:1].decode(), names[0], names[-1]


def _file(status: str, old_path: str, path: str, lines: list[bytes]) -> FileChange:
    start = next((at for at, line in enumerate(lines) if line.startswith(b"--- ")), len(lines))
    return FileChange(
        path=path,
        old_path=old_path if old_path != path else "",
        status=_STATUS.get(status, "modified"),
        patch=b"".join(lines[start:]).decode(errors="replace").replace("\0", "\ufffd"),
    )


def _unquoted(path: bytes) -> bytes:
    """Undo git's C-style quoting of unusual paths."""
    if not path.startswith(b'"'):
        return path
    return re.sub(rb"\\([0-7]{3}|.)", lambda match: bytes([_character(match[1])]), path[1:-1])


def _character(escape: bytes) -> int:
    return int(escape, 8) if len(escape) == 3 else _ESCAPES.get(escape, escape[0])
