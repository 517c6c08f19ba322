"""The naive arm, which must fail the oracle: it calls, then writes down that it did; its saver is LangGraph's own."""

from collections import Counter
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

from sre_bot.persistence.database import Row
from tests.crash.oracle import Finding
from tests.crash.outside import Caller
from tests.crash.routes import EFFECTS, route_of
from tests.law_graph import LawGraph

Json = dict[str, Any]
TABLE = b"create table if not exists audit_by_hand (workflow text, at int, state text)"
AUDIT = b"select at, count(*) as rows from audit_by_hand where workflow = %s group by at, state"


class NaiveGraph(LawGraph):
    """The same states and calls, and a row of the audit written by each node when it is done."""

    def __init__(self, connection: AsyncConnection[DictRow], caller: Caller, workflow: str) -> None:
        super().__init__()
        self._connection = connection
        self._caller = caller
        self._workflow = workflow

    def _node(self, name: str) -> Any:
        async def run(case: Json, config: RunnableConfig) -> Json:
            route = route_of(case["ticket_id"])
            at = case.get("at", 0) + (name != "ticket_detected")
            for effect in EFFECTS.get(name, ()):
                await self._caller.act({"workflow": self._workflow, "effect": effect, "round": 0})
            row = (self._workflow, at, name)
            await self._connection.execute("insert into audit_by_hand (workflow, at, state) values (%s, %s, %s)", row)
            update: Json = {"at": at, "context": {"last": name}}
            if name == "ticket_detected":
                return {**update, "plan": list(route.plan)}
            return update if at < len(route.plan) else {**update, "outcome": route.ending}

        return run


def judged(plan: tuple[str, ...], made: Counter[str], audit: list[Row]) -> Finding:
    """What the oracle asks, asked of this arm: each call once, and for each state that was passed one row."""
    expected = sum(len(EFFECTS.get(state, ())) for state in plan)
    twice = [f"the audit has {row['rows']} rows for step {row['at']}" for row in audit if row["rows"] > 1]
    return Finding(sum(made.values()) - len(made), expected - len(made), 0, tuple(twice))


async def work(job: Json) -> list[str]:
    """Start a workflow, or go on with it, as the manual of LangGraph says."""
    async with await _connected(job["url"]) as audit, await _connected(job["url"]) as checkpoints:
        graph = NaiveGraph(audit, Caller(job["outside"], job["worker"]), job["workflow"])
        runs = graph.compile(AsyncPostgresSaver(checkpoints))
        config: RunnableConfig = {"configurable": {"thread_id": job["workflow"]}, "recursion_limit": 100}
        known = (await runs.aget_state(config)).created_at is not None
        await runs.ainvoke(None if known else {"ticket_id": job["ticket"]}, config, durability="sync")
    return ["finished"]


async def _connected(url: str) -> AsyncConnection[DictRow]:
    return await AsyncConnection[DictRow].connect(url, autocommit=True, prepare_threshold=None, row_factory=dict_row)
