"""The example in docs/python-api.md is a program, and says what the page says it says."""

import asyncio
import re
import sys
from pathlib import Path

from sre_bot.persistence.database import Database
from sre_bot.persistence.history import every_workflow
from sre_bot.persistence.replay import verify

PAGE = Path(__file__).parents[2] / "docs" / "python-api.md"


async def test_the_example_runs_and_leaves_a_sound_record(empty_database_url: str, tmp_path: Path) -> None:
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "example.py").write_text(code)

    example = await asyncio.create_subprocess_exec(
        sys.executable, tmp_path / "example.py", empty_database_url, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await example.communicate()

    assert example.returncode == 0
    refused, stale, held, due = said.decode().splitlines()
    source = "ticket_processing:ticket_acceptance:validating_ticket"
    assert refused.startswith(f"refused: {source} -> ticket_processing:review:approved is not legal; from there")
    assert "ticket_processing:ticket_acceptance:accepting_ticket" in refused
    assert re.search(r"read at version 3 and is at version 5; both sides changed seen_by", stale)
    assert (held.partition(",")[0], due) == ("nobody else", "next try due: retry True True")
    async with Database.open(empty_database_url) as database:
        [row] = await every_workflow(database)
        assert await verify(database, row["workflow_id"]) == ()
