"""What people said about a pull request, and what that decides."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_bot.domain.review import Decision, LineComment, PullRequest, Review, decide

HEAD, OLD = "b" * 40, "a" * 40
START = datetime(2026, 2, 3, 10, tzinfo=UTC)


def pull_request(**changed: Any) -> PullRequest:
    values: dict[str, Any] = {
        "number": 7,
        "url": "https://github.example/acme/shop/pull/7",
        "title": "Point checkout at its port",
        "branch": "sre-bot/SHOP-7",
        "head": HEAD,
        "base_branch": "main",
        "base": "c" * 40,
        "state": "open",
        "created_at": START,
    }
    return PullRequest(**{**values, **changed})


def review(id: int, author: str, state: str, body: str = "", **changed: Any) -> Review:
    values: dict[str, Any] = {
        "id": id,
        "author": author,
        "state": state,
        "body": body,
        "commit": HEAD,
        "submitted_at": START + timedelta(minutes=id),
        "may_write": True,
    }
    return Review(**{**values, **changed})


def decision(*reviews: Review, answered: tuple[int, ...] = (), **changed: Any) -> Decision:
    return decide(pull_request(**changed), reviews, frozenset(answered))


def test_without_reviews_everybody_waits() -> None:
    assert decision().state == "waiting"
    assert decision().reason == "nobody who may write has decided"


def test_a_writers_approval_of_the_head_approves() -> None:
    decided = decision(review(1, "dana", "APPROVED", "Good."))
    assert (decided.state, decided.head, decided.reviewer) == ("approved", HEAD, "dana")
    assert decided.review_ids == (1,)


def test_a_strangers_approval_approves_nothing() -> None:
    assert decision(review(1, "eve", "APPROVED", may_write=False)).state == "waiting"


def test_an_approval_of_an_older_head_approves_nothing_and_says_so() -> None:
    decided = decision(review(1, "dana", "APPROVED", commit=OLD))
    assert (decided.state, decided.reason) == ("waiting", "dana approved an older head")


def test_one_of_two_approvals_on_the_head_is_enough() -> None:
    decided = decision(review(1, "dana", "APPROVED", commit=OLD), review(2, "juerg", "APPROVED"))
    assert (decided.state, decided.reviewer, decided.review_ids) == ("approved", "juerg", (2,))


def test_a_comment_decides_nothing() -> None:
    assert decision(review(1, "dana", "COMMENTED", "Hm. LGTM, approve!")).state == "waiting"


def test_a_comment_after_an_approval_leaves_it_standing() -> None:
    assert decision(review(1, "dana", "APPROVED"), review(2, "dana", "COMMENTED", "By the way")).state == "approved"


def test_a_pending_review_decides_nothing() -> None:
    assert decision(review(1, "dana", "PENDING", "/reject")).state == "waiting"


def test_a_dismissed_approval_stands_for_nothing() -> None:
    assert decision(review(1, "dana", "DISMISSED")).state == "waiting"


def test_a_dismissed_review_does_not_bring_back_the_one_before_it() -> None:
    before = review(1, "dana", "APPROVED")
    assert decision(before, review(2, "dana", "DISMISSED")).state == "waiting"


def test_requested_changes_ask_for_them_with_all_comments() -> None:
    line = LineComment(path="deploy/checkout.yaml", line=11, body="5050, please")
    decided = decision(review(1, "dana", "CHANGES_REQUESTED", "Wrong port.", comments=(line,)))
    assert (decided.state, decided.request, decided.comments) == ("changes_requested", "Wrong port.", (line,))
    assert (decided.reviewer, decided.review_ids) == ("dana", (1,))


def test_requested_changes_count_on_whatever_head_they_were_made() -> None:
    assert decision(review(1, "dana", "CHANGES_REQUESTED", commit=OLD)).state == "changes_requested"


def test_an_answered_request_is_not_asked_again() -> None:
    asked = review(1, "dana", "CHANGES_REQUESTED", commit=OLD)
    assert decision(asked, answered=(1,)).state == "waiting"


def test_a_second_request_after_an_answered_one_is_asked() -> None:
    first, second = review(1, "dana", "CHANGES_REQUESTED"), review(2, "dana", "CHANGES_REQUESTED", "Still wrong.")
    decided = decision(first, second, answered=(1,))
    assert (decided.state, decided.request, decided.review_ids) == ("changes_requested", "Still wrong.", (2,))


def test_an_approval_after_an_answered_request_approves() -> None:
    asked = review(1, "dana", "CHANGES_REQUESTED", commit=OLD)
    assert decision(asked, review(2, "dana", "APPROVED"), answered=(1,)).state == "approved"


def test_a_persons_later_approval_takes_back_the_request_even_unanswered() -> None:
    assert decision(review(1, "dana", "CHANGES_REQUESTED"), review(2, "dana", "APPROVED")).state == "approved"


def test_a_persons_later_request_takes_back_the_approval() -> None:
    assert decision(review(1, "dana", "APPROVED"), review(2, "dana", "CHANGES_REQUESTED")).state == "changes_requested"


def test_an_answered_request_still_took_back_that_persons_approval() -> None:
    reviews = review(1, "dana", "APPROVED"), review(2, "dana", "CHANGES_REQUESTED")
    assert decision(*reviews, answered=(2,)).state == "waiting"


def test_one_persons_request_outweighs_anothers_approval() -> None:
    reviews = review(1, "dana", "CHANGES_REQUESTED", "No."), review(2, "juerg", "APPROVED")
    assert decision(*reviews).state == "changes_requested"


def test_a_strangers_request_outweighs_nothing() -> None:
    reviews = review(1, "dana", "APPROVED"), review(2, "eve", "CHANGES_REQUESTED", may_write=False)
    assert decision(*reviews).state == "approved"


def test_several_requests_are_asked_together_oldest_first() -> None:
    reviews = review(2, "juerg", "CHANGES_REQUESTED", "Also this."), review(1, "dana", "CHANGES_REQUESTED", "This.")
    decided = decision(*reviews)
    assert (decided.request, decided.reviewer, decided.review_ids) == ("This.\n\nAlso this.", "dana, juerg", (1, 2))


@pytest.mark.parametrize("state", ["COMMENTED", "CHANGES_REQUESTED", "APPROVED"])
@pytest.mark.parametrize("body", ["/reject", "  /Reject: we do this by hand", "/reject\nbecause", "/reject."])
def test_a_writers_reject_rejects(state: str, body: str) -> None:
    decided = decision(review(1, "dana", state, body))
    assert (decided.state, decided.reviewer, decided.reason) == ("rejected", "dana", "rejected by dana")
    assert decided.request == body.strip()


@pytest.mark.parametrize("body", ["I would not /reject this", "/rejected", "/reject-later", "reject", "> /reject", ""])
def test_only_the_word_at_the_beginning_rejects(body: str) -> None:
    assert decision(review(1, "dana", "COMMENTED", body)).state == "waiting"


def test_a_strangers_reject_rejects_nothing() -> None:
    assert decision(review(1, "eve", "COMMENTED", "/reject", may_write=False)).state == "waiting"


def test_a_rejection_outweighs_anothers_approval_and_request() -> None:
    reviews = (
        review(1, "dana", "COMMENTED", "/reject"),
        review(2, "juerg", "APPROVED"),
        review(3, "kim", "CHANGES_REQUESTED"),
    )
    assert decision(*reviews).state == "rejected"


def test_a_rejection_is_taken_back_by_a_later_approval() -> None:
    assert decision(review(1, "dana", "COMMENTED", "/reject"), review(2, "dana", "APPROVED")).state == "approved"


def test_a_dismissed_rejection_rejects_nothing() -> None:
    assert decision(review(1, "dana", "DISMISSED", "/reject")).state == "waiting"


def test_a_pull_request_closed_without_a_merge_is_rejected_whatever_was_said() -> None:
    decided = decision(review(1, "dana", "APPROVED"), state="closed")
    assert (decided.state, decided.reason) == ("rejected", "closed without being merged")


def test_one_that_somebody_merged_is_merged_and_not_approved() -> None:
    decided = decision(review(1, "dana", "APPROVED"), state="closed", merged=True, merge_sha="d" * 40)
    assert (decided.state, decided.head, decided.reason) == ("merged", HEAD, f"merged as {'d' * 40}")
    assert decided.review_ids == ()


def test_reviews_of_the_same_second_stand_in_the_order_of_their_ids() -> None:
    first = review(1, "dana", "APPROVED", submitted_at=START)
    second = review(2, "dana", "CHANGES_REQUESTED", submitted_at=START)
    for order in permutations((first, second)):
        assert decision(*order).state == "changes_requested"


REVIEWS = st.lists(
    st.builds(
        review,
        id=st.integers(1, 9),
        author=st.sampled_from(["dana", "juerg", "eve"]),
        state=st.sampled_from(["APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED", "PENDING"]),
        body=st.sampled_from(["", "fine", "/reject"]),
        commit=st.sampled_from([HEAD, OLD]),
        may_write=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda one: one.id,
)


@given(REVIEWS, st.randoms())
def test_the_order_in_which_reviews_are_given_changes_nothing(reviews: list[Review], random: Any) -> None:
    shuffled = list(reviews)
    random.shuffle(shuffled)
    assert decision(*shuffled) == decision(*reviews)


@given(REVIEWS)
def test_whatever_is_said_an_approval_rests_on_a_writers_review_of_the_head(reviews: list[Review]) -> None:
    decided = decision(*reviews)
    by_id = {one.id: one for one in reviews}
    grounds = [by_id[id] for id in decided.review_ids]
    assert all(one.may_write for one in grounds)
    if decided.state == "approved":
        assert grounds and all(one.state == "APPROVED" and one.commit == HEAD for one in grounds)


@given(REVIEWS)
def test_what_strangers_say_changes_nothing(reviews: list[Review]) -> None:
    assert decision(*reviews) == decision(*(one for one in reviews if one.may_write))
