"""Which step a checkpoint stands for, by what it schedules; and what is refused."""

from typing import Any

import pytest
from langgraph.checkpoint.base import Checkpoint, empty_checkpoint

from sre_bot.domain.errors import IllegalTransition
from sre_bot.domain.states import IDLE, LAW, DetailedState, Position, TicketProcessingSubState, edges_between
from sre_bot.persistence.projection import Projection
from sre_bot.persistence.transitions import one_task, root_move, step, sub_state_move

D, S = DetailedState, TicketProcessingSubState
JOIN = "join:k8s_event_analysis+source_code_analysis:correlation"


def at(*active: DetailedState) -> Projection:
    position = Position.working(active[0]) if active else IDLE
    return Projection(position, active, (), {}, 0, 3, None, False, None)


def saying(*updated: str, **values: Any) -> Checkpoint:
    return {**empty_checkpoint(), "updated_channels": list(updated), "channel_values": values}


def rows(move: Any) -> list[tuple[str, str]]:
    return [(edge.source.detailed, edge.target.detailed) for edge in move.edges]


def test_a_branch_is_a_step_to_its_node() -> None:
    move = sub_state_move(at(D.CORRELATION), S.ANALYSIS, saying("branch:to:root_cause_generation", "context"))

    assert move and rows(move) == [(D.CORRELATION, D.ROOT_CAUSE_GENERATION)]
    assert move.active == (D.ROOT_CAUSE_GENERATION,)


def test_two_branches_are_a_fork_in_the_order_of_their_names() -> None:
    checkpoint = saying("branch:to:source_code_analysis", "branch:to:k8s_event_analysis")
    move = sub_state_move(at(D.DATA_COLLECTION), S.ANALYSIS, checkpoint)

    assert move and [target for _, target in rows(move)] == [D.K8S_EVENT_ANALYSIS, D.SOURCE_CODE_ANALYSIS]
    assert move.position.detailed is D.K8S_EVENT_ANALYSIS
    assert move.active == (D.K8S_EVENT_ANALYSIS, D.SOURCE_CODE_ANALYSIS)


def test_a_complete_join_is_a_step_from_each_branch() -> None:
    both = {"k8s_event_analysis", "source_code_analysis"}
    move = sub_state_move(
        at(D.K8S_EVENT_ANALYSIS, D.SOURCE_CODE_ANALYSIS), S.ANALYSIS, saying(JOIN, "context", **{JOIN: both})
    )

    assert move and rows(move) == [(D.K8S_EVENT_ANALYSIS, D.CORRELATION), (D.SOURCE_CODE_ANALYSIS, D.CORRELATION)]


def test_an_incomplete_join_is_no_step() -> None:
    forked = at(D.K8S_EVENT_ANALYSIS, D.SOURCE_CODE_ANALYSIS)

    assert sub_state_move(forked, S.ANALYSIS, saying(JOIN, **{JOIN: {"k8s_event_analysis"}})) is None


def test_the_end_of_a_sub_state_and_the_entry_into_one_are_no_steps() -> None:
    assert sub_state_move(at(D.ANALYSIS_COMPLETE), S.ANALYSIS, saying("context")) is None
    assert root_move(at(D.ANALYSIS_COMPLETE), saying("branch:to:remediation", "context")) is None


def test_a_graph_without_subgraphs_takes_the_same_steps() -> None:
    move = root_move(at(D.TICKET_ACCEPTED), saying("branch:to:data_collection", "context"))

    assert move and rows(move) == [(D.TICKET_ACCEPTED, D.DATA_COLLECTION)]
    with pytest.raises(IllegalTransition, match="not legal"):
        root_move(at(D.TICKET_ACCEPTED), saying("branch:to:correlation"))


@pytest.mark.parametrize(
    ("checkpoint", "alone"),
    [
        (saying("__start__"), True),
        (saying("branch:to:correlation", "context"), True),
        (saying(JOIN, **{JOIN: {"k8s_event_analysis", "source_code_analysis"}}), True),
        (saying(JOIN, **{JOIN: {"k8s_event_analysis"}}), False),
        (saying("branch:to:k8s_event_analysis", "branch:to:source_code_analysis"), False),
        (saying("branch:to:correlation", "__pregel_tasks"), False),
        (saying("branch:to:correlation", __pregel_tasks=["a Send"]), False),
        (saying("context"), False),
    ],
)
def test_a_task_is_known_to_run_alone_only_where_one_edge_leads_on(checkpoint: Checkpoint, alone: bool) -> None:
    assert one_task(checkpoint) is alone


def test_the_end_of_the_root_is_the_outcome() -> None:
    move = root_move(at(D.ANALYSIS_COMPLETE), saying("outcome", outcome="duplicate"))

    assert move and (move.position, move.outcome, move.edges[0].trigger) == (IDLE, "duplicate", "duplicate")


@pytest.mark.parametrize(
    ("standing", "checkpoint", "said"),
    [
        (at(D.ANALYSIS_COMPLETE), saying("context"), "without an outcome"),
        (at(D.ANALYSIS_COMPLETE), saying("outcome", outcome="resolved"), "its triggers are: no_action_needed"),
        (at(D.CORRELATION), saying("outcome", outcome="resolved"), "not legal"),
        (at(), saying("branch:to:elsewhere"), "'elsewhere'"),
        (at(), saying("branch:to:analysis", "branch:to:review"), "one node at a time"),
        (at(), saying("__pregel_tasks"), "Send"),
        (at(D.K8S_EVENT_ANALYSIS, D.SOURCE_CODE_ANALYSIS), saying("outcome", outcome="duplicate"), "were running"),
    ],
)
def test_a_root_that_breaks_the_law_is_refused(standing: Projection, checkpoint: Checkpoint, said: str) -> None:
    with pytest.raises(IllegalTransition, match=said):
        root_move(standing, checkpoint)


@pytest.mark.parametrize(
    ("standing", "checkpoint", "said"),
    [
        (at(D.CORRELATION), saying("branch:to:fix_generation"), "not a state of 'analysis'"),
        (at(D.CORRELATION), saying("branch:to:analysis_complete"), "the law allows: .*root_cause_generation"),
        (
            at(D.K8S_EVENT_ANALYSIS, D.SOURCE_CODE_ANALYSIS),
            saying("branch:to:correlation"),
            "can only be joined",
        ),
        (
            at(D.K8S_EVENT_ANALYSIS),
            saying(JOIN, **{JOIN: {"k8s_event_analysis", "source_code_analysis"}}),
            "were running",
        ),
        (
            at(D.K8S_EVENT_ANALYSIS, D.SOURCE_CODE_ANALYSIS),
            saying(JOIN, "branch:to:correlation", **{JOIN: {"k8s_event_analysis", "source_code_analysis"}}),
            "a join comes alone",
        ),
    ],
)
def test_a_sub_state_that_breaks_the_law_is_refused(standing: Projection, checkpoint: Checkpoint, said: str) -> None:
    with pytest.raises(IllegalTransition, match=said):
        sub_state_move(standing, S.ANALYSIS, checkpoint)


def test_every_edge_of_the_law_is_found_by_its_trigger() -> None:
    for edge in LAW:
        assert step(edge.source, edge.target, str(edge.trigger)) == edge


def test_no_other_pair_of_positions_is_a_step() -> None:
    positions = {edge.source for edge in LAW} | {edge.target for edge in LAW}
    illegal = [(one, other) for one in positions for other in positions if not edges_between(one, other)]

    assert len(illegal) > len(LAW)
    for one, other in illegal:
        with pytest.raises(IllegalTransition):
            step(one, other)
