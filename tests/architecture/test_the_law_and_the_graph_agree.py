from sre_bot.domain.states import (
    IDLE,
    LAW,
    MEMBERS,
    DetailedState,
    MainState,
    Outcome,
    Position,
    edges_between,
    legal_targets,
)
from sre_bot.graph.diagram import ROUTERS, disagreements, left_through, mermaid


def test_the_compiled_graph_draws_exactly_the_law() -> None:
    assert disagreements() == []


def test_every_detailed_state_of_the_law_is_drawn_in_the_diagram() -> None:
    drawn = mermaid()
    assert [state for state in DetailedState if state not in drawn] == []


def test_every_way_out_of_a_sub_state_is_one_that_its_router_takes() -> None:
    for edge in LAW:
        if edge.target == IDLE and edge.source.main is MainState.TICKET_PROCESSING and edge.source.sub:
            assert ROUTERS[edge.source.sub](left_through(edge)) == "__end__", edge


def test_every_outcome_can_be_reached() -> None:
    assert {edge.trigger for edge in LAW if edge.target == IDLE} == set(Outcome)


def test_positions_are_written_and_read_back() -> None:
    for edge in LAW:
        assert Position.parse(str(edge.source)) == edge.source
    assert str(Position.working(DetailedState.AWAITING_REVIEW)) == "ticket_processing:review:awaiting_review"
    assert str(IDLE) == "system_idle::"


def test_an_error_state_keeps_the_sub_state_it_came_from() -> None:
    for detailed in MEMBERS:
        for state in MEMBERS[detailed]:
            failing = Position.working(state).failing(DetailedState.ERROR_DETECTION)
            assert failing.sub is detailed
            assert edges_between(Position.working(state), failing)


def test_two_edges_between_the_same_positions_differ_in_their_trigger() -> None:
    assert len({(edge.source, edge.target, edge.trigger) for edge in LAW}) == len(LAW)


def test_nothing_leads_from_one_sub_state_into_the_middle_of_another() -> None:
    entries = {members[0] for members in MEMBERS.values()}
    for edge in LAW:
        crossing = edge.source.sub is not edge.target.sub and edge.target.main is MainState.TICKET_PROCESSING
        if crossing:
            assert edge.target.detailed in entries, edge


def test_a_review_can_never_be_skipped_on_the_way_to_a_deployment() -> None:
    into_deployment = [
        edge.source.detailed
        for edge in LAW
        if edge.target.detailed is DetailedState.TRIGGERING_DEPLOYMENT
        and edge.source.main is MainState.TICKET_PROCESSING
    ]
    assert into_deployment == [DetailedState.APPROVED]
    assert Position.working(DetailedState.APPROVED) in legal_targets(Position.working(DetailedState.REVIEW_IN_PROGRESS))
