"""What the acceptance tests share: a process of the real command line, and a look at the record."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INCIDENTS = Path(__file__).parents[1] / "evals" / "incidents"
FAST = {
    "POLL_SECONDS": "0.2",
    "SETTLE_SECONDS": "20",
    "DEPLOYMENT_SECONDS": "600",
    "LEASE_SECONDS": "3",
    "REQUEST_SECONDS": "10",
}


@dataclass(frozen=True, slots=True)
class Finished:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def environment(lab_environment: dict[str, str], database_url: str, data: Path) -> dict[str, str]:
    """The settings of a bot that is connected to a lab, and nothing of the developer's own environment."""
    plain = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**plain, **FAST, **lab_environment, "DATABASE_URL": database_url, "DATA_DIR": str(data)}


def newcomer(home: Path, **more: str) -> dict[str, str]:
    """What the shell of somebody has who has just installed the bot: no setting of ours at all."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "COLUMNS": "100", **more}


async def sre_bot(env: dict[str, str], *arguments: str, timeout: float = 180) -> Finished:
    """Run a command of the real command line to its end."""
    async with running(env, *arguments) as process:
        out, err = await asyncio.wait_for(process.communicate(), timeout)
        return Finished(process.returncode or 0, out.decode(), err.decode())


@asynccontextmanager
async def running(
    env: dict[str, str], *arguments: str, cwd: Path | None = None
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A command while it runs; killed at the end if it still does."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sre_bot",
        *arguments,
        env=env,
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=2**24,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
