"""Many runs of the real command line for the price of one: its modules are imported once, then each run is a fork.

As a program it reads a list of runs from the standard input and prints what became of each, both in JSON.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from sre_bot.cli.commands import TABLE, Place
from sre_bot.cli.main import main
from tests.acceptance_stage import Finished

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Command:
    """One run: what is typed, where, and in which environment."""

    arguments: tuple[str, ...]
    folder: str
    env: dict[str, str] = field(default_factory=dict[str, str])


async def each(commands: Sequence[Command]) -> list[Finished]:
    """Run commands one after another, each in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.many_commands"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(json.dumps([asdict(one) for one in commands]).encode()), 180)
    return [Finished(**one) for one in json.loads(out)]


def run(command: Command) -> Finished:
    """Fork, and become the command."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            become(command, out, err)
        _, status = os.waitpid(child, 0)
        said = [(stream.seek(0), stream.read().decode())[1] for stream in (out, err)]
        return Finished(os.waitstatus_to_exitcode(status), *said)


def become(command: Command, out: IO[bytes], err: IO[bytes]) -> None:
    """Run the command line and end this process with its exit code."""
    os.dup2(out.fileno(), 1)
    os.dup2(err.fileno(), 2)
    os.chdir(command.folder)
    os.environ.clear()
    os.environ.update(command.env)
    sys.argv = ["sre-bot", *command.arguments]
    main()


if __name__ == "__main__":
    commands = [Command(**one) for one in json.load(sys.stdin)]
    for name in {command.arguments[0] for command in commands} & TABLE.keys():
        Place.of(name).load()
    print(json.dumps([asdict(run(command)) for command in commands]))
