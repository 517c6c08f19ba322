"""A pull request and what people said about it."""

import re
from datetime import datetime
from typing import Literal

from sre_bot.domain.cluster import Value

_REJECT = re.compile(r"^\s*/reject(?![\w-])", re.IGNORECASE)


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
    decisive review of each person stands, and one person's requested changes outweigh another's approval. Requested
    changes count on whatever head they were made until a newer head has answered them. ``rejected``: closed without a
    merge, or a review that says ``/reject``. ``merged``: somebody merged it, which approves nothing and leaves nothing
    to decide.
    """

    state: Literal["waiting", "approved", "changes_requested", "rejected", "merged"]
    head: str
    reviewer: str = ""
    reason: str = ""
    request: str = ""
    comments: tuple[LineComment, ...] = ()
    review_ids: tuple[int, ...] = ()


def decide(pull_request: PullRequest, reviews: tuple[Review, ...], answered: frozenset[int]) -> Decision:
    """Read the decision off a pull request and its reviews, given in any order.

    ``answered`` holds the ids of the requests for changes that a newer head has answered already.
    """
    head = pull_request.head
    if pull_request.merged:
        return Decision(state="merged", head=head, reason=f"merged as {pull_request.merge_sha}")
    standing = _standing(reviews)
    rejections = tuple(review for review in standing if _rejects(review))
    if pull_request.state == "closed" or rejections:
        return _decision("rejected", head, rejections, "" if rejections else "closed without being merged")
    requests = tuple(one for one in standing if one.state == "CHANGES_REQUESTED" and one.id not in answered)
    if requests:
        return _decision("changes_requested", head, requests)
    approvals = tuple(review for review in standing if review.state == "APPROVED")
    current = tuple(review for review in approvals if review.commit == head)
    if current:
        return _decision("approved", head, current)
    return Decision(state="waiting", head=head, reason=_why_waiting(approvals))


def _standing(reviews: tuple[Review, ...]) -> tuple[Review, ...]:
    """The newest decisive review of each person who may write, oldest first."""
    newest: dict[str, Review] = {}
    for review in sorted(reviews, key=lambda review: (review.submitted_at, review.id)):
        if review.may_write and _is_decisive(review):
            newest.pop(review.author, None)
            newest[review.author] = review
    return tuple(newest.values())


def _is_decisive(review: Review) -> bool:
    return review.state in ("APPROVED", "CHANGES_REQUESTED", "DISMISSED") or _rejects(review)


def _rejects(review: Review) -> bool:
    """Whether it is submitted, not dismissed, and its text begins with the word ``/reject``."""
    said = _REJECT.match(review.body) is not None
    return said and review.state not in ("DISMISSED", "PENDING")


def _decision(
    state: Literal["approved", "changes_requested", "rejected"],
    head: str,
    reviews: tuple[Review, ...],
    reason: str = "",
) -> Decision:
    said = "\n\n".join(review.body.strip() for review in reviews if review.body.strip())
    reviewers = ", ".join(review.author for review in reviews)
    return Decision(
        state=state,
        head=head,
        reviewer=reviewers,
        reason=reason or f"{state.replace('_', ' ')} by {reviewers}",
        request=said,
        comments=tuple(comment for review in reviews for comment in review.comments),
        review_ids=tuple(review.id for review in reviews),
    )


def _why_waiting(approvals: tuple[Review, ...]) -> str:
    if not approvals:
        return "nobody who may write has decided"
    return f"{', '.join(review.author for review in approvals)} approved an older head"
