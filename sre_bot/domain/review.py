"""A pull request and what people said about it."""

from datetime import datetime
from typing import Literal

from sre_bot.domain.cluster import Value


class PullRequest(Value):
    """One pull request as GitHub answers. ``head`` and ``base`` are shas; ``merge_sha`` is empty until merged."""

    number: int
    url: str
    title: str
    branch: str
    head: str
    base_branch: str
    base: str
    state: Literal["open", "closed"]
    merged: bool = False
    merge_sha: str = ""
    created_at: datetime


class LineComment(Value):
    """A review's comment on a line of the diff; ``line`` counts in the head's file, 0 where GitHub gives none."""

    path: str
    line: int
    body: str
    start_line: int = 0


class Review(Value):
    """One submitted review. ``may_write`` says whether its author has write permission on the repository."""

    id: int
    author: str
    state: Literal["APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED", "PENDING"]
    body: str
    commit: str
    submitted_at: datetime
    may_write: bool
    comments: tuple[LineComment, ...] = ()


class Decision(Value):
    """What the reviews amount to for one head.

    Only reviews by people with write permission count; an approval counts only on the current head; the newest
    decisive review of each person stands, and one person's requested changes outweigh another's approval.
    """

    state: Literal["waiting", "approved", "changes_requested", "rejected"]
    head: str
    reviewer: str = ""
    reason: str = ""
    request: str = ""
    comments: tuple[LineComment, ...] = ()
    review_ids: tuple[int, ...] = ()
