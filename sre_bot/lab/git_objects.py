"""Git's objects as values: signatures, commits, tree entries."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
NO_OBJECT = "0" * 40


@dataclass(frozen=True, slots=True)
class Signature:
    """Who, and when: the author or the committer of a commit."""

    name: str
    email: str
    date: datetime


@dataclass(frozen=True, slots=True)
class CommitRecord:
    """One commit as it is stored."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One entry of a tree. ``size`` is in bytes, None for everything but blobs."""

    path: str
    mode: str
    type: str
    sha: str
    size: int | None


def parse_commit(sha: str, raw: bytes) -> CommitRecord:
    """Read a commit object."""
    head, _, message = raw.decode(errors="replace").partition("\n\n")
    fields: dict[str, list[str]] = {}
    for line in head.splitlines():
        name, _, value = line.partition(" ")
        fields.setdefault(name, []).append(value)
    return CommitRecord(
        sha=sha,
        tree=fields["tree"][0],
        parents=tuple(fields.get("parent", ())),
        author=_signature(fields["author"][0]),
        committer=_signature(fields["committer"][0]),
        message=message,
    )


def _signature(text: str) -> Signature:
    match = re.fullmatch(r"(.*?) ?<(.*)> (\d+) ([+-])(\d\d)(\d\d)", text)
    if match is None:
        raise ValueError(f"not a signature: {text!r}")
    name, email, seconds, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes)) * (1 if sign == "+" else -1)
    return Signature(name, email, datetime.fromtimestamp(int(seconds), timezone(offset)))


def parse_entry(record: str) -> TreeEntry:
    """Read one record of ``git ls-tree -z -l``."""
    about, path = record.split("\t", 1)
    mode, kind, sha, size = about.split()
    return TreeEntry(path, mode, kind, sha, int(size) if size != "-" else None)


def committed_by(committer: Signature) -> dict[str, str]:
    """Name the committer in git's environment."""
    return {
        "GIT_COMMITTER_NAME": committer.name,
        "GIT_COMMITTER_EMAIL": committer.email,
        "GIT_COMMITTER_DATE": git_date(committer.date),
    }


def signed_by(author: Signature, committer: Signature) -> dict[str, str]:
    """Name author and committer in git's environment."""
    return {
        "GIT_AUTHOR_NAME": author.name,
        "GIT_AUTHOR_EMAIL": author.email,
        "GIT_AUTHOR_DATE": git_date(author.date),
        **committed_by(committer),
    }


def git_date(date: datetime) -> str:
    """A date as git reads it: seconds since the epoch, in UTC."""
    return f"{int(date.astimezone(UTC).timestamp())} +0000"
