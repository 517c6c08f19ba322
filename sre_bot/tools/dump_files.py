"""The files of a folder that somebody gave us: found without following links out of it, read within bounds."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MOST_FILES = 100_000


@dataclass(frozen=True, slots=True)
class DumpFile:
    """One regular file. ``name`` is its path below the folder, with slashes; ``size`` is in bytes."""

    path: Path
    name: str
    size: int

    def read(self, most: int) -> bytes:
        """Its first ``most`` bytes. Raises ``OSError``."""
        with self.path.open("rb") as stream:
            return stream.read(most)

    def tail(self, most: int) -> tuple[bytes, bool]:
        """Its last lines, no more than ``most`` bytes, and whether there are earlier ones. Raises ``OSError``."""
        with self.path.open("rb") as stream:
            if self.size <= most:
                return stream.read(most), False
            stream.seek(-most, os.SEEK_END)
            return stream.read(most).partition(b"\n")[2], True


def files_under(root: Path, unseen: list[str]) -> list[DumpFile]:
    """The files below a folder by name; ``unseen`` is told which were passed over."""
    found: list[DumpFile] = []
    strays = 0
    for path in _paths(root):
        if len(found) == MOST_FILES:
            unseen.append(f"more than {MOST_FILES} files: only the first were read")
            break
        size = _size(path, root)
        if size is None:
            strays += 1
        else:
            found.append(DumpFile(path, path.relative_to(root).as_posix(), size))
    if strays:
        unseen.append(f"{strays} entries of the folder: links that lead out of it, or no plain files")
    return found


def _paths(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders.sort()
        yield from (Path(folder, name) for name in sorted(names))


def _size(path: Path, root: Path) -> int | None:
    """The size of a regular file; None for anything else, and for a link that leaves the folder."""
    try:
        if path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
            return None
        status = path.stat()
    except (OSError, RuntimeError):  # it leads nowhere, or in a circle
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
