"""What the tests of the record's commands share: the real command line, on a database of the test's own.

A process that has imported the product once is forked for each command: that saves two seconds of imports a time.
"""

import asyncio
import multiprocessing
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from sre_bot.cli.commands import TABLE, Place
from tests.acceptance_stage import Finished, environment

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["sre_bot.cli.main", *sorted({Place.of(command).module for command in TABLE})])


@dataclass(frozen=True, slots=True)
class Commands:
    """``sre-bot`` as an operator has it who knows the database and nothing else, or with more settings."""

    database_url: str
    data: Path

    async def __call__(self, *arguments: str, **settings: str) -> Finished:
        """Run a command to its end."""
        said = self.data / uuid4().hex
        process = _FORKS.Process(
            target=_run, args=(arguments, environment(settings, self.database_url, self.data), said)
        )
        process.start()
        try:
            await asyncio.to_thread(process.join, 60)
            assert process.exitcode is not None, f"sre-bot {' '.join(arguments)} does not end"
        finally:
            process.kill()
        return Finished(process.exitcode, said.with_suffix(".out").read_text(), said.with_suffix(".err").read_text())


def _run(arguments: tuple[str, ...], env: dict[str, str], said: Path) -> None:
    """Become ``sre-bot``: its arguments, its environment, its streams."""
    from sre_bot.cli.main import main

    for stream, suffix in ((sys.stdout, ".out"), (sys.stderr, ".err")):
        with said.with_suffix(suffix).open("wb") as file:
            os.dup2(file.fileno(), stream.fileno())
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["sre-bot", *arguments]
    main()
