"""Threads of other people's graphs: the saver passes LangGraph's own conformance suite."""

from collections.abc import AsyncGenerator

import pytest
from langgraph.checkpoint.conformance import validate
from langgraph.checkpoint.conformance.capabilities import ALL_CAPABILITIES
from langgraph.checkpoint.conformance.initializer import RegisteredCheckpointer

from sre_bot.persistence.database import Database
from sre_bot.persistence.saver import AuditedSaver


@pytest.mark.parametrize("capability", sorted(capability.value for capability in ALL_CAPABILITIES))
async def test_the_saver_conforms(capability: str, database: Database) -> None:
    async def factory() -> AsyncGenerator[AuditedSaver]:
        yield AuditedSaver(database)

    registered = RegisteredCheckpointer("AuditedSaver", factory)  # pyright: ignore[reportArgumentType]
    report = await validate(registered, capabilities={capability})

    result = report.results[capability]
    assert result.detected and result.tests_passed > 0
    assert (result.tests_failed, result.failures) == (0, [])
