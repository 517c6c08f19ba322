"""A worker in a process of its own: runs one workflow of the law's graph and, in one state, does something outside.

``python -m tests.zombie_worker URL WORKFLOW FENCE STATE``: says ``inside`` when it is in that state, acts when it reads
a line, and says how its run ended. What is outside is a table that nothing protects.
"""

import asyncio
import sys
from typing import Any

from sre_bot.domain.errors import LeaseLost, StaleWriter
from sre_bot.persistence.database import Database
from sre_bot.persistence.effects import Effects
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Claim
from tests.law_graph import ACCEPTANCE, ANALYSIS, LawGraph, case
from tests.record_runs import under

PLAN = ACCEPTANCE + ANALYSIS
ENDING = "needs_human"


async def page(database: Database, claim: Claim) -> None:
    """The effect: one page for a person."""

    async def act(request: dict[str, Any]) -> dict[str, Any]:
        async with database.transaction() as connection:
            await connection.execute("insert into outside (paged_by) values (%s)", (claim.owner,))
        return request

    async def look(request: dict[str, Any]) -> dict[str, Any] | None:
        async with database.transaction() as connection:
            cursor = await connection.execute("select 1 from outside")
            return request if await cursor.fetchone() else None

    await Effects(database).once(claim, "page", 1, {"who": "on call"}, act, look)


async def run(url: str, claim: Claim, state: str) -> str:
    """Run from the start; how it ended."""
    law_graph = LawGraph()
    async with Database.open(url, max_size=2) as database:

        async def act_when_told() -> None:
            print("inside", flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            await page(database, claim)

        law_graph.hooks[state] = act_when_told
        graph = law_graph.compile(AuditedSaver(database))
        try:
            await graph.ainvoke(case(plan=PLAN, ending=ENDING), under(claim))
        except (StaleWriter, LeaseLost) as error:
            return type(error).__name__
    return "finished"


if __name__ == "__main__":
    address, workflow, fence, where = sys.argv[1:]
    print(asyncio.run(run(address, Claim(workflow, "zombie", int(fence)), where)), flush=True)
