"""One lane for all tests of a process: a Postgres that may be restarted, workers that may be killed."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.crash.lanes import LaneProcess


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def lane(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[LaneProcess]:
    """A lane of ring 1 that runs four scenarios side by side."""
    folder: Path = tmp_path_factory.mktemp("stands")
    async with LaneProcess.start("tests.crash.lane", folder, folder / "lane.log", 4) as process:
        yield process
