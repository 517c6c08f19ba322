"""A process that stood still for longer than its lease: it calls nobody, and it keeps no lock."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest

from sre_bot.domain.errors import LeaseLost
from sre_bot.persistence.database import Connection, Database
from sre_bot.persistence.effects import Effects
from sre_bot.persistence.workflows import Workflows
from tests.record_runs import TTL, claimed

Json = dict[str, Any]


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.readings = 0
        self.frozen_for = 0.0

    def __call__(self) -> float:
        """The process stands still between its first and its second look at the clock."""
        self.readings += 1
        return 1_000.0 if self.readings == 1 else 1_000.0 + self.frozen_for


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    async with Database.open(database_url) as database:
        yield database


@pytest.fixture
async def impatient(database_url: str) -> AsyncGenerator[Database]:
    """The same, whose server soon loses patience with who stands still; on a busy machine that is anybody."""
    async with Database.open(database_url, idle_limit=timedelta(seconds=0.2)) as impatient:
        yield impatient


@pytest.mark.parametrize(("frozen_for", "calls"), [(TTL.total_seconds() - 60, 1), (TTL.total_seconds(), 0)])
async def test_an_effect_is_not_begun_by_a_process_that_stood_still_until_its_lease_was_over(
    database: Database, frozen_for: float, calls: int
) -> None:
    clock, made = Clock(), list[Json]()
    clock.frozen_for = frozen_for
    claim = await claimed(Workflows(database))
    effects = Effects(database, clock)

    async def act(request: Json) -> Json:
        made.append(request)
        return {}

    async def look(_: Json) -> None:
        return None

    if calls:
        await effects.once(claim, "comment", 0, {"body": "hello"}, act, look)
    else:
        with pytest.raises(LeaseLost, match=r"'comment'.*was not begun.*looks before acting"):
            await effects.once(claim, "comment", 0, {"body": "hello"}, act, look)
    [effect] = await effects.of(claim.workflow_id)
    assert len(made) == calls
    assert effect["status"] == ("done" if calls else "started")


async def test_who_stands_still_inside_a_transaction_loses_it_and_does_the_work_again(
    database: Database, impatient: Database, database_url: str
) -> None:
    claim = await claimed(Workflows(database))
    tries: list[int] = []

    async def lock_and_stand_still(connection: Connection) -> int:
        tries.append(len(tries))
        await connection.execute("select 1 from leases where workflow_id = %s for update", (claim.workflow_id,))
        if len(tries) == 1:
            await _another_gets_the_lock(database_url, claim.workflow_id)
        await connection.execute("select 1")
        return len(tries)

    assert await impatient.attempt(lock_and_stand_still) >= 2


async def test_a_transaction_pooler_has_nothing_of_the_limit_to_remember(impatient: Database) -> None:
    assert await impatient.attempt(_limit) == "200ms"
    async with impatient.pool.connection() as connection:
        assert await _limit(connection) == "0"


async def _another_gets_the_lock(url: str, workflow: str) -> None:
    async with Database.open(url, max_size=1) as other, other.transaction() as connection:
        await connection.execute("select 1 from leases where workflow_id = %s for update", (workflow,))


async def _limit(connection: Connection) -> str:
    cursor = await connection.execute("select current_setting('idle_in_transaction_session_timeout') as value")
    row = await cursor.fetchone()
    assert row is not None
    return row["value"]
