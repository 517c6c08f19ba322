"""The lab's pull requests as a store: what was opened, reviewed and said. Knows nothing of HTTP."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from sre_bot.domain.review import LineComment

ReviewState = Literal["APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED", "PENDING"]


@dataclass(slots=True)
class SubmittedReview:
    """One review. ``commit`` is the head that it was made on; ``submitted_at`` is None while it is pending."""

    id: int
    author: str
    state: ReviewState
    body: str
    commit: str
    submitted_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReviewComment:
    """A review's comment on a line. ``blob`` is the file that the reviewer saw, empty where it was deleted."""

    id: int
    review: int
    author: str
    commit: str
    blob: str
    hunk: str
    comment: LineComment
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ConversationComment:
    """A comment in a pull request's conversation."""

    id: int
    author: str
    body: str
    created_at: datetime


@dataclass(slots=True)
class Pull:
    """One pull request. ``head`` and ``base_sha`` follow the branches while it is open, then stand still."""

    id: int
    number: int
    author: str
    title: str
    body: str
    branch: str
    base: str
    head: str
    base_sha: str
    created_at: datetime
    updated_at: datetime
    draft: bool = False
    closed_at: datetime | None = None
    merged_at: datetime | None = None
    merged_by: str = ""
    merge_sha: str = ""
    reviews: list[SubmittedReview] = field(default_factory=list[SubmittedReview])
    review_comments: list[ReviewComment] = field(default_factory=list[ReviewComment])
    conversation: list[ConversationComment] = field(default_factory=list[ConversationComment])

    @property
    def open(self) -> bool:
        """Whether it can still be merged or closed."""
        return self.closed_at is None

    @property
    def state(self) -> Literal["open", "closed"]:
        """As GitHub prints it."""
        return "open" if self.open else "closed"

    def close(self, at: datetime) -> None:
        """Close it without merging; a closed one stays as it is."""
        if self.open:
            self.closed_at = self.updated_at = at

    def reopen(self, at: datetime) -> None:
        """Open it again."""
        self.closed_at, self.updated_at = None, at

    def close_merged(self, sha: str, by: str, at: datetime) -> None:
        """Close it as merged by somebody in the commit ``sha``."""
        self.merge_sha, self.merged_by = sha, by
        self.merged_at = self.closed_at = self.updated_at = at

    def review_of(self, review_id: int) -> SubmittedReview | None:
        """The review with an id."""
        return next((review for review in self.reviews if review.id == review_id), None)

    def approved(self, writers: set[str]) -> bool:
        """Whether some writer's newest decisive review approves and none's requests changes."""
        newest = {
            review.author: review.state
            for review in self.reviews
            if review.author in writers and review.state in ("APPROVED", "CHANGES_REQUESTED", "DISMISSED")
        }
        return "APPROVED" in newest.values() and "CHANGES_REQUESTED" not in newest.values()
