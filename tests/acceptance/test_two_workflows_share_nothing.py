"""Incidents worked on at the same time with one record and on one disk: no workflow holds a word of another."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from datetime import timedelta
from itertools import groupby
from pathlib import Path

import pytest

from sre_bot.app import compose
from sre_bot.domain.errors import ArtifactNotFound
from sre_bot.domain.states import DetailedState
from sre_bot.domain.workflow import WorkflowState
from sre_bot.evals.harness import Pace, Stage, settings_for
from sre_bot.lab.client import LabProcess
from sre_bot.persistence.database import Database
from sre_bot.persistence.replay import verify
from sre_bot.persistence.rewinds import Rewinds
from sre_bot.worker.configuration import config_of
from sre_bot.worker.following import follow
from sre_bot.worker.runner import Claim
from tests.acceptance_stage import INCIDENTS
from tests.bad_input_stage import opened
from tests.record_runs import rows

PACE = Pace(deployment=600)
OWNED = b"""select table_name, min(column_name) as owner
    from information_schema.columns join information_schema.tables using (table_schema, table_name)
    where table_schema = 'public' and table_type = 'BASE TABLE' and column_name in ('workflow_id', 'thread_id')
    group by table_name"""


@pytest.fixture
async def bots(database_url: str, tmp_path: Path) -> AsyncGenerator[list[Stage]]:
    """Two companies with a bot each; the bots share a database and a data directory."""
    async with AsyncExitStack() as stack:
        stages: list[Stage] = []
        for name in ("orders-cannot-be-placed", "statements-not-arrived"):
            lab = await stack.enter_async_context(await LabProcess.start(INCIDENTS / name, speed=PACE.speed))
            app = await stack.enter_async_context(compose(settings_for(lab.environment, database_url, tmp_path, PACE)))
            stages.append(Stage(lab, app, timedelta(seconds=PACE.poll)))
        yield stages


async def to_review(stage: Stage, workflow_id: str) -> WorkflowState:
    """A workflow when it waits for people or has ended."""
    return await follow(stage.app.runner, stage.app.monitors, workflow_id, poll=stage.poll, wait=False)


async def all_rows(database: Database, workflow_id: str) -> str:
    """Every row of every table that belongs to a workflow, as text."""
    found: list[str] = []
    for table in await rows(database, OWNED):
        statement = (
            f"select row_to_json(t)::text as row from {table['table_name']} as t where {table['owner']}::text = %s"
        )
        found += [row["row"] for row in await rows(database, statement.encode(), workflow_id)]
    return "\n".join(found)


async def all_channels(stage: Stage, workflow_id: str) -> str:
    """Every state that a workflow's graph has been in and every restore point, decoded."""
    config = config_of(Claim(workflow_id, "reader", 0))
    states = [snapshot.values async for snapshot in stage.app.graph.aget_state_history(config)]
    points = [point.channels for point in await Rewinds(stage.app.record.database).points(workflow_id)]
    return json.dumps([states, points])


async def artifacts_of(database: Database, workflow_id: str) -> set[str]:
    found = await rows(database, b"select digest from artifact_owners where workflow_id = %s", workflow_id)
    return {row["digest"] for row in found}


async def assert_reads_only_its_own_artifacts(stage: Stage, mine: str, others: str) -> None:
    database, artifacts = stage.app.record.database, stage.app.record.artifacts
    my_own = await artifacts_of(database, mine)
    foreign = await artifacts_of(database, others) - my_own
    assert my_own and foreign
    for digest in my_own:
        assert await artifacts.get(mine, digest)
    for digest in foreign:
        with pytest.raises(ArtifactNotFound):
            await artifacts.get(mine, digest)


async def turns(database: Database) -> int:
    """How often the workflows took turns at writing the log."""
    log = await rows(database, b"select workflow_id from state_transitions order by id")
    return len(list(groupby(row["workflow_id"] for row in log)))


async def test_two_incidents_in_two_repositories_hold_no_word_of_each_other(bots: list[Stage], tmp_path: Path) -> None:
    ids = [await opened(bot) for bot in bots]
    states = await asyncio.gather(*map(to_review, bots, ids))
    database = bots[0].app.record.database

    assert await turns(database) > 4, "they were worked on at the same time"
    assert [state.detailed_state for state in states] == [DetailedState.AWAITING_REVIEW] * 2
    for bot, mine, other in ((bots[0], *states), (bots[1], *states[::-1])):
        held = await all_rows(database, mine.workflow_id) + await all_channels(bot, mine.workflow_id)
        assert mine.context["repository"] in held and mine.ticket_id in held
        for word in (other.workflow_id, other.ticket_id, other.context["repository"], other.context["pr_head"]):
            assert word not in held
        await assert_reads_only_its_own_artifacts(bot, mine.workflow_id, other.workflow_id)
        assert await verify(database, mine.workflow_id) == ()
    assert clones(tmp_path) == sorted(f"{state.context['repository']}.git" for state in states)


async def test_two_tickets_on_one_repository_share_its_bare_clone_and_nothing_else(
    bots: list[Stage], tmp_path: Path
) -> None:
    bot = bots[0]
    told = (await bot.app.tools.jira.ticket(bot.lab.ticket)).summary
    second = await bot.lab.control.create_ticket(key="SHOP-3000", summary=told, description=f"{told} Still so.")
    ids = [await opened(bot), await opened(bot, second)]
    states = await asyncio.gather(*(to_review(bot, each) for each in ids))
    database = bot.app.record.database

    assert await turns(database) > 4, "they were worked on at the same time"
    assert sorted(str(state.outcome) for state in states) == ["None", "duplicate"]
    for mine, other in (states, states[::-1]):
        channels = await all_channels(bot, mine.workflow_id)
        assert mine.ticket_id in channels
        assert other.ticket_id not in channels and other.workflow_id not in channels
        await assert_reads_only_its_own_artifacts(bot, mine.workflow_id, other.workflow_id)
        done = await bot.app.record.effects.of(mine.workflow_id)
        assert all(other.workflow_id not in json.dumps(one["result"]) for one in done)
    assert clones(tmp_path) == [f"{states[0].context['repository']}.git"]


def clones(data: Path) -> list[str]:
    """The clones on our disk, each of which must be bare: nothing is checked out that two could write to."""
    folders = sorted(path for path in (data / "clones").glob("*/*.git") if path.is_dir())
    for folder in folders:
        assert "bare = true" in (folder / "config").read_text()
        assert not (folder / "index").exists() and not (folder / "worktrees").exists()
    return [str(folder.relative_to(data / "clones")) for folder in folders]
