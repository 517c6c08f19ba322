"""What the tests of the record share: an open database and the parts that stand on it."""

from collections.abc import AsyncGenerator

import pytest

from sre_bot.persistence.database import Database
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Workflows
from tests.law_graph import LawGraph


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    async with Database.open(database_url) as database:
        yield database


@pytest.fixture
def workflows(database: Database) -> Workflows:
    return Workflows(database)


@pytest.fixture
async def saver(database: Database) -> AuditedSaver:
    return AuditedSaver(database)


@pytest.fixture
def law_graph() -> LawGraph:
    return LawGraph()
