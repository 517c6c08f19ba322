"""A lock of an outside program ends with its time, and whoever stands in line goes on."""

from sre_bot.evals.harness import Pace, staged
from sre_bot.persistence.manager import WorkflowStateManager
from tests.bad_input_stage import INCIDENT
from tests.record_runs import TTL

LOCK = "repository:acme/shop"


async def test_who_waits_for_a_program_that_died_is_woken_by_the_bot_itself(postgres: str) -> None:
    async with staged(INCIDENT, postgres, Pace()) as stage:
        record = stage.app.record
        opened = await stage.app.monitors.open(stage.lab.ticket)
        waiting = await record.workflows.claim(opened.workflow_id, "worker-1", TTL)
        async with WorkflowStateManager(record.database).acquire_resource_lock("repository", "acme/shop"):
            assert not await record.locks.acquire(waiting, (LOCK,))
            await record.workflows.release(waiting)
            await stage.app.monitors.deadlines()
            assert [row["workflow_id"] for row in await record.locks.waiting()] == [opened.workflow_id]
            async with record.database.transaction() as connection:
                await connection.execute("update resource_locks set expires_at = clock_timestamp()")

            await stage.app.monitors.deadlines()

        assert [row["workflow_id"] for row in await record.locks.held()] == [opened.workflow_id]
        [due] = await record.workflows.claim_due("worker-2", TTL, 10)
        assert due.workflow_id == opened.workflow_id
