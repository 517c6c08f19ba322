"""GitHub's answers, parsed once at the door. Only what we use; whatever else GitHub sends is ignored."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from sre_bot.domain.review import LineComment, PullRequest, Review

GHOST = "ghost"
"""What GitHub calls the author of something whose account is gone."""


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Part(_Answer):
    ref: str
    sha: str


class _User(_Answer):
    login: str


class _Pull(_Answer):
    number: int
    html_url: str
    title: str
    state: Literal["open", "closed"]
    head: _Part
    base: _Part
    merged_at: datetime | None = None
    merge_commit_sha: str | None = None
    created_at: datetime


class _LineComment(_Answer):
    pull_request_review_id: int | None = None
    path: str
    body: str
    line: int | None = None
    start_line: int | None = None


class _Review(_Answer):
    id: int
    user: _User | None = None
    state: Literal["APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED", "PENDING"]
    body: str | None = None
    commit_id: str | None = None
    submitted_at: datetime | None = None


def pull_request(raw: dict[str, Any]) -> PullRequest:
    """Read a pull request, from a list or alone. Raises ``ValueError``."""
    pull = _Pull.model_validate(raw)
    merged = pull.merged_at is not None
    return PullRequest(
        number=pull.number,
        url=pull.html_url,
        title=pull.title,
        branch=pull.head.ref,
        head=pull.head.sha,
        base_branch=pull.base.ref,
        base=pull.base.sha,
        state=pull.state,
        merged=merged,
        merge_sha=(pull.merge_commit_sha or "") if merged else "",
        created_at=pull.created_at,
    )


class SubmittedReviews:
    """A pull request's reviews without the pending ones, oldest first, and the comments that belong to each."""

    def __init__(self, reviews: list[dict[str, Any]], comments: list[dict[str, Any]]) -> None:
        parsed = [_Review.model_validate(raw) for raw in reviews]
        self._reviews = [review for review in parsed if review.state != "PENDING" and review.submitted_at]
        self._comments = [_LineComment.model_validate(raw) for raw in comments]

    @property
    def authors(self) -> set[str]:
        """Who reviewed, accounts that are gone apart."""
        return {review.user.login for review in self._reviews if review.user}

    def with_writers(self, writers: set[str]) -> tuple[Review, ...]:
        """The reviews as values; ``writers`` are those of the authors who may write."""
        return tuple(self._value(review, writers) for review in self._reviews)

    def _value(self, review: _Review, writers: set[str]) -> Review:
        assert review.submitted_at is not None
        author = review.user.login if review.user else ""
        return Review(
            id=review.id,
            author=author or GHOST,
            state=review.state,
            body=review.body or "",
            commit=review.commit_id or "",
            submitted_at=review.submitted_at,
            may_write=author in writers,
            comments=tuple(_value(one) for one in self._comments if one.pull_request_review_id == review.id),
        )


def _value(comment: _LineComment) -> LineComment:
    return LineComment(path=comment.path, line=comment.line or 0, body=comment.body, start_line=comment.start_line or 0)
