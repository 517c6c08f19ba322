"""The command line lists its commands without importing them, and finds each where the table says."""

import subprocess
import sys

import pytest

from sre_bot.cli.commands import TABLE, Place, command_at

SLOW = ("kubernetes", "langchain_core", "langgraph", "psycopg", "jira", "github", "httpx")
LISTING = f"""
import sys
from sre_bot.cli.main import main
sys.argv = ["sre-bot", "--help"]
try:
    main()
except SystemExit as end:
    assert end.code == 0, end.code
assert not [name for name in {SLOW!r} if name in sys.modules], sorted(sys.modules)
"""


@pytest.mark.parametrize("command", TABLE)
def test_every_command_is_where_the_table_says_and_is_summed_up_as_it_explains_itself(command: str) -> None:
    place = Place.of(command)
    summary = place.summary().strip().splitlines()[0]
    assert summary
    assert str(command_at(place).help).strip().startswith(summary)


def test_listing_the_commands_imports_none_of_what_they_need() -> None:
    listed = subprocess.run([sys.executable, "-c", LISTING], capture_output=True, text=True, timeout=60, check=False)
    assert listed.returncode == 0, listed.stderr
    assert all(command in listed.stdout for command in TABLE)
