"""A pool that hands out a dead connection: the next step succeeds all the same."""

import asyncio

from sre_bot.persistence.database import Connection, Database
from sre_bot.persistence.workflows import Workflows
from tests.record_runs import TTL, claimed

POOL = 5
_OTHERS_END = """
select pg_terminate_backend(pid, 5000) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
"""


async def _whole_pool_at_once(database: Database) -> set[int]:
    """Use every connection of the pool at the same time; the backends behind them."""
    all_here = asyncio.Barrier(POOL)

    async def backend(connection: Connection) -> int:
        await all_here.wait()
        return connection.info.backend_pid

    return set(await asyncio.gather(*(database.attempt(backend) for _ in range(POOL))))


async def test_a_pool_that_hands_out_dead_connections_lets_the_next_step_succeed(database_url: str) -> None:
    async with (
        Database.open(database_url, max_size=POOL) as database,
        Database.open(database_url, max_size=1) as other,
    ):
        workflows = Workflows(database)
        claim = await claimed(workflows)
        before = await _whole_pool_at_once(database)
        async with other.transaction() as connection:
            await connection.execute(_OTHERS_END)
        await workflows.renew(claim, TTL)
        await workflows.release(claim)
        after = await _whole_pool_at_once(database)
    assert len(before) == POOL
    assert before.isdisjoint(after)
