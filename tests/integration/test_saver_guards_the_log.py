"""What not even the one who holds a workflow may do: by-pass its log, start it anew, go on after its end."""

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import Command
from typing_extensions import TypedDict

from sre_bot.domain.errors import GraphOwned, IllegalTransition, StaleWriter
from sre_bot.persistence.database import Database
from sre_bot.persistence.replay import verify
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Workflows
from tests.law_graph import ACCEPTANCE, ANALYSIS, DEPLOYMENT, REMEDIATION, REVIEW, LawGraph, case, working_edges
from tests.record_runs import TTL, census, claimed, rows, steps, under


class Note(TypedDict, total=False):
    """The state of another graph."""

    text: str


TO_REVIEW = ACCEPTANCE + ANALYSIS + REMEDIATION
WHOLE_WAY = TO_REVIEW + REVIEW + DEPLOYMENT
SHORT = ACCEPTANCE + ANALYSIS


async def test_a_workflow_under_way_is_not_started_again(
    database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)
    graph = law_graph.compile(saver)
    await graph.ainvoke(case(plan=WHOLE_WAY), under(claim))

    with pytest.raises(GraphOwned, match="resume it"):
        await graph.ainvoke(case(plan=WHOLE_WAY), under(claim))
    await graph.ainvoke(Command(resume="wake up"), under(claim))

    assert await steps(workflows, claim.workflow_id) == working_edges(WHOLE_WAY, "resolved")


async def test_the_state_of_a_workflow_is_not_edited_behind_its_log(
    workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)
    graph = law_graph.compile(saver)
    await graph.ainvoke(case(plan=TO_REVIEW + REVIEW), under(claim))

    with pytest.raises(GraphOwned, match="behind its log"):
        await graph.aupdate_state(under(claim), {"outcome": "resolved"})


async def test_an_ended_workflow_is_not_written_to_again(
    workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)
    graph = law_graph.compile(saver)
    await graph.ainvoke(case(plan=SHORT, ending="needs_human"), under(claim))

    with pytest.raises(StaleWriter, match="has ended"):
        await graph.ainvoke(case(plan=SHORT, ending="needs_human"), under(claim))


async def test_a_graph_may_not_move_what_is_driven_from_outside(
    workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    state = await workflows.open("OPS-9", {}, driver="external")
    claim = await workflows.claim(state.workflow_id, "worker-1", TTL)

    with pytest.raises(GraphOwned, match="driven from outside"):
        await law_graph.compile(saver).ainvoke(case(), under(claim))


async def test_a_node_that_the_law_does_not_know_stops_the_run(workflows: Workflows, saver: AuditedSaver) -> None:
    claim = await claimed(workflows)
    graph = StateGraph(Note).add_node("surprise", _nothing).add_edge(START, "surprise").compile(saver)

    with pytest.raises(IllegalTransition, match="'surprise'"):
        await graph.ainvoke({"text": "x"}, under(claim), durability="sync")


async def test_a_graph_inside_a_node_is_fenced_and_leaves_no_rows(
    database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)
    inner = StateGraph(Note).add_node("model", _nothing).add_edge(START, "model").compile()
    law_graph.hooks["correlation"] = lambda: inner.ainvoke({"text": "why?"})

    await law_graph.compile(saver).ainvoke(case(plan=TO_REVIEW + REVIEW), under(claim))

    deeper = await rows(database, b"select count(*) as n from checkpoints where checkpoint_ns like '%%|%%'")
    assert deeper[0]["n"] > 0
    assert await steps(workflows, claim.workflow_id) == working_edges(TO_REVIEW + REVIEW, "")[: -len(REVIEW)]
    assert await verify(database, claim.workflow_id) == ()


async def test_the_checkpoints_of_a_live_workflow_cannot_be_deleted_those_of_an_ended_one_can(
    database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)
    graph = law_graph.compile(saver)
    await graph.ainvoke(case(plan=WHOLE_WAY), under(claim))

    for refused in (
        saver.adelete_thread(claim.workflow_id),
        saver.aprune([claim.workflow_id]),
        saver.acopy_thread(claim.workflow_id, "copy"),
    ):
        with pytest.raises(GraphOwned):
            await refused
    await graph.ainvoke(Command(resume="wake up"), under(claim))
    await saver.adelete_thread(claim.workflow_id)

    left = await census(database, claim.workflow_id)
    assert (left["checkpoints"], left["transitions"]) == (0, len(working_edges(WHOLE_WAY, "resolved")))
    assert await verify(database, claim.workflow_id) == ()


async def _nothing(state: Note) -> Note:
    return {}
