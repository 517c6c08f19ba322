"""Events in any order, legal and illegal, twice, late and stale: the record stays legal, gapless and replayable."""

import asyncio
from collections.abc import Awaitable, Generator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from sre_bot.domain.errors import IllegalTransition
from sre_bot.domain.states import Position
from sre_bot.domain.workflow import WorkflowState
from sre_bot.persistence.database import Database
from tests.record_stories import Json, Known, Stage, Stories


class BesideTheLog(Stories):
    """A bug: the context is also written where no row of the log says so."""

    def take_step(self, known: Known, to: Position, trigger: str, updates: Json, read: int | None) -> Awaitable[Any]:
        return self._and_then(
            super().take_step(known, to, trigger, updates, read),
            "update workflow_states set context = context || '{\"z\": 1}' where workflow_id = %s",
            known,
        )

    async def _and_then(self, step: Awaitable[Any], statement: str, known: Known) -> None:
        await step
        async with self.database.transaction() as connection:
            await connection.execute(statement.encode(), (known.workflow_id,))


class WithGaps(BesideTheLog):
    """A bug: a version is counted that no row of the log has."""

    async def _and_then(self, step: Awaitable[Any], statement: str, known: Known) -> None:
        await super()._and_then(step, "update workflow_states set version = version + 1 where workflow_id = %s", known)


class Lawless(Stories):
    """A bug: a step that the law does not know is taken silently for another one."""

    def take_step(self, known: Known, to: Position, trigger: str, updates: Json, read: int | None) -> Awaitable[Any]:
        async def step() -> None:
            with suppress(IllegalTransition):
                await super(Lawless, self).take_step(known, to, trigger, updates, read)

        return step()


class Hasty(Stories):
    """A bug: a deadline that was seen earlier ends whatever the workflow does now."""

    def hear_of_a_deadline(self, seen: WorkflowState) -> Awaitable[bool]:
        async def hear() -> bool:
            return await self.monitors.expire(await self.workflows.get(seen.workflow_id))

        return hear()


SHORT = settings(
    max_examples=10,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


@pytest.fixture
def told(database_url: str) -> Generator[Stage]:
    with asyncio.Runner() as runner:
        opening = Database.open(database_url)
        yield Stage(runner, runner.run(opening.__aenter__()))
        runner.run(opening.__aexit__(None, None, None))


def tell(stories: type[Stories], stage: Stage, how: settings) -> None:
    """Tell stories of one kind on one stage."""

    class OnStage(stories):
        def __init__(self) -> None:
            super().__init__(stage)

    run_state_machine_as_test(OnStage, settings=how)


def test_any_order_of_events_leaves_a_legal_gapless_replayable_record(told: Stage) -> None:
    tell(Stories, told, settings(SHORT, max_examples=15, phases=[Phase.generate]))


@pytest.mark.parametrize("bug", [BesideTheLog, WithGaps, Lawless, Hasty])
def test_a_planted_bug_is_found(bug: type[Stories], told: Stage) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        tell(bug, told, settings(SHORT, phases=[Phase.generate]))
