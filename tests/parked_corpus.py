"""The corpus of parked threads: what a released version leaves in the database where a workflow waits.

As a program, ``python -m tests.parked_corpus POSTGRES_URL`` plays the first incident with the version that is installed
and writes what it leaves in each place to ``tests/data/parked/<version>/``. It is run once for each release; what is
there is never made anew.
"""

import asyncio
import gzip
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sre_bot.cli.demo import FIRST_INCIDENT, FIRST_REQUEST
from sre_bot.domain.states import DetailedState
from sre_bot.evals.harness import Pace, Stage, staged
from sre_bot.persistence.database import Database
from sre_bot.persistence.migrations import migrate, migrations
from sre_bot.worker.following import follow

CORPUS = Path(__file__).parent / "data" / "parked"
INCIDENT = Path(__file__).parents[1] / "evals" / "incidents" / FIRST_INCIDENT
TABLES = (
    *(
        "artifacts",
        "workflow_states",
        "artifact_owners",
        "state_transitions",
        "workflow_checkpoints",
        "workflow_heads",
        "leases",
    ),
    *("workflow_wakes", "workflow_errors", "workflow_links", "effects", "resource_locks", "resource_waits"),
    *("operator_requests", "checkpoints", "checkpoint_blobs", "checkpoint_writes"),
)
"""Every table that a workflow leaves rows in, each after those that it refers to."""

NUMBERED = ("workflow_errors", "workflow_wakes", "state_transitions", "workflow_checkpoints", "operator_requests")
"""Those whose rows the database numbers."""


async def in_review(stage: Stage) -> None:
    """It waits for its first review."""
    opened = await stage.app.monitors.open(stage.lab.ticket)
    await _followed(stage, opened.workflow_id)


async def in_second_review(stage: Stage) -> None:
    """It has answered a change request and waits again."""
    await in_review(stage)
    number = (await _only(stage)).context["pr_number"]
    await stage.lab.control.review(number, "request_changes", FIRST_REQUEST)
    await stage.app.monitors.review_activity()
    await stage.app.recovery().recover_active_workflows()


async def before_another_try(stage: Stage) -> None:
    """It is approved, and Argo CD was away when it began to deploy."""
    await in_review(stage)
    await stage.lab.control.add_fault(
        service="argocd", kind="status", method="GET", path="/applications/", status=503, times=1
    )
    await _approved(stage)


async def in_line(stage: Stage) -> None:
    """It is approved, and somebody else holds what it wants to deploy."""
    await in_review(stage)
    async with stage.app.record.database.transaction() as connection:
        await connection.execute(
            """insert into resource_locks (resource, holder, expires_at)
            values (%s, 'somebody', clock_timestamp() + interval '1 hour')""",
            (f"repository:{(await _only(stage)).context['repository']}",),
        )
    await _approved(stage)


PLACES: dict[str, tuple[Callable[[Stage], Awaitable[None]], DetailedState]] = {
    "in_review": (in_review, DetailedState.AWAITING_REVIEW),
    "in_second_review": (in_second_review, DetailedState.AWAITING_REVIEW),
    "before_another_try": (before_another_try, DetailedState.RETRY),
    "in_line": (in_line, DetailedState.TRIGGERING_DEPLOYMENT),
}


async def load(url: str, file: Path) -> None:
    """Fill an empty database as the version of ``file`` left it, schema included."""
    left = json.loads(gzip.decompress(file.read_bytes()))
    await migrate(url, tuple(step for step in migrations() if step.name in left["migrations"]))
    async with Database.open(url) as database, database.transaction() as connection:
        for table, rows in left["tables"].items():
            statement = (
                f"insert into {table} overriding system value select * from jsonb_populate_recordset(null::{table}, %s)"
            )
            await connection.execute(statement.encode(), (json.dumps(rows),))
        for table in NUMBERED:
            sequence = f"select setval(pg_get_serial_sequence('{table}', 'id'), 1000000)"
            await connection.execute(sequence.encode())


async def _left(url: str) -> dict[str, Any]:
    async with Database.open(url) as database, database.transaction() as connection:
        tables: dict[str, list[Any]] = {}
        for table in TABLES:
            cursor = await connection.execute(f"select to_jsonb(t) as row from {table} as t".encode())
            tables[table] = [row["row"] for row in await cursor.fetchall()]
        cursor = await connection.execute("select name from schema_migrations order by name")
        return {"migrations": [row["name"] for row in await cursor.fetchall()], "tables": tables}


async def _make(postgres: str, folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, (go, state) in PLACES.items():
        async with staged(INCIDENT, postgres, Pace()) as stage:
            await go(stage)
            waiting = await _only(stage)
            assert waiting.detailed_state is state, (name, waiting.position)
            left = await _left(stage.app.record.database.url)
        (folder / f"{name}.json.gz").write_bytes(gzip.compress(json.dumps(left).encode(), mtime=0))


async def _followed(stage: Stage, workflow_id: str) -> None:
    await follow(stage.app.runner, stage.app.monitors, workflow_id, poll=stage.poll, wait=False)


async def _approved(stage: Stage) -> None:
    state = await _only(stage)
    await stage.lab.control.review(state.context["pr_number"], "approve")
    await stage.app.monitors.review_activity()
    claim = await stage.app.record.workflows.claim(state.workflow_id, "worker", timedelta(minutes=1))
    await stage.app.runner.run(claim)


async def _only(stage: Stage) -> Any:
    (state,) = await stage.app.record.workflows.live()
    return state


if __name__ == "__main__":
    asyncio.run(_make(sys.argv[1], CORPUS / version("sre-bot")))
