"""A repository as it was at one moment: its tree, its recent history."""

from datetime import datetime
from typing import Literal

from sre_bot.domain.cluster import Value


class FileChange(Value):
    """What one commit did to one file. ``patch`` is its unified diff, empty for binary files."""

    path: str
    status: Literal["added", "modified", "deleted", "renamed"]
    patch: str
    old_path: str = ""


class Commit(Value):
    """One commit. ``authored_at`` is the author's date."""

    sha: str
    author: str
    authored_at: datetime
    subject: str
    body: str = ""
    changes: tuple[FileChange, ...] = ()


class SourceTree(Value):
    """The text files of one commit: path → text. Files over the limit and binary files are only listed."""

    sha: str
    files: dict[str, str]
    skipped: tuple[str, ...] = ()


class SourceHistory(Value):
    """A repository's branch: its tree at the head and its recent commits, newest first.

    ``path`` is the folder that is deployed (Argo CD's ``spec.source.path``), empty for the whole tree.
    """

    repository: str
    branch: str
    path: str
    tree: SourceTree
    commits: tuple[Commit, ...]
