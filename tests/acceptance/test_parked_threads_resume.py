"""What every released version left parked goes on under this one, to the end."""

import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from sre_bot.app import compose
from sre_bot.domain.fix import FileEdit
from sre_bot.evals.harness import Pace, Stage, settings_for
from sre_bot.lab.client import LabProcess
from sre_bot.persistence.replay import verify
from sre_bot.persistence.scratch import scratch_database
from tests.parked_corpus import CORPUS, INCIDENT, PLACES, load

FILES = sorted(CORPUS.rglob("*.json.gz"))
PACE = Pace()


@asynccontextmanager
async def restaged(file: Path, postgres: str) -> AsyncGenerator[Stage]:
    """A database as an older version left it, this version on top, and the world as far as the bot had changed it."""
    with tempfile.TemporaryDirectory(prefix="sre-bot-parked-") as data:
        async with scratch_database(postgres) as url, await LabProcess.start(INCIDENT, speed=PACE.speed) as lab:
            await load(url, file)
            async with compose(settings_for(lab.environment, url, Path(data), PACE)) as app:
                stage = Stage(lab, app, timedelta(seconds=PACE.poll))
                await rebuild(stage)
                yield stage


async def rebuild(stage: Stage) -> None:
    """Do again at the new lab's GitHub what the record says was done at the old one's."""
    github = stage.app.tools.github
    (state,) = await stage.app.record.workflows.live()
    for effect in await stage.app.record.effects.of(state.workflow_id):
        request = effect["request"]
        if effect["name"] == "commit:fix":
            branch = request["branch"]
            parent = await github.head(request["repository"], branch) or await github.head(
                request["repository"], "main"
            )
            edits = tuple(FileEdit.model_validate(edit) for edit in request["edits"])
            await github.commit(request["repository"], branch, parent or "", edits, request["message"])
        elif effect["name"].startswith("pull_request:") and "branch" in request:
            opened = await github.create_pull_request(
                request["repository"],
                branch=request["branch"],
                base=request["base"],
                title=request["title"],
                body=request["body"],
            )
            assert opened.number == state.context["pr_number"]


def test_there_is_a_corpus_of_every_place_where_a_workflow_parks() -> None:
    assert {(file.parent.name, file.name.removesuffix(".json.gz")) for file in FILES} >= {
        ("0.1.0", place) for place in PLACES
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.name.removesuffix('.json.gz')}")
async def test_a_thread_that_an_older_version_parked_is_approved_deployed_and_resolved(
    file: Path, postgres: str
) -> None:
    async with restaged(file, postgres) as stage:
        app = stage.app
        (parked,) = await app.record.workflows.live()
        await stage.lab.control.review(parked.context["pr_number"], "approve")
        await app.monitors.review_activity()
        async with app.record.database.transaction() as connection:  # the hours go by
            await connection.execute("update workflow_states set due_at = clock_timestamp() where due_at is not null")
            await connection.execute(
                "update resource_locks set expires_at = clock_timestamp() where holder is not null"
            )
        await app.record.locks.sweep()

        ended = await app.recovery().recover_active_workflows()
        # The rebuilt commit has another name than the approved one: that approval is lost, and is looked for again.
        await app.monitors.review_activity()
        ended |= await app.recovery().recover_active_workflows()

        state = await app.record.workflows.get(parked.workflow_id)
        errors = await app.record.workflows.errors(parked.workflow_id)
        assert state.outcome == "resolved", (ended, state.position, errors[-1:])
        assert await verify(app.record.database, parked.workflow_id) == ()
        assert await app.record.locks.held() == ()
