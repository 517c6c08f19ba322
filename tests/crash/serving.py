"""A worker of ring 2: the whole bot, as ``serve`` runs it."""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sre_bot.app import compose
from sre_bot.evals.harness import Pace, settings_for

Json = dict[str, Any]
PACE = Pace(speed=60.0, poll=0.2, settle=20.0, deployment=600.0)
LEASE_SECONDS = 3.0


def prepare() -> Callable[[Json], None]:
    """What a worker does: serve until killed, or recover what there is and leave."""
    return lambda job: asyncio.run(_serve(job))


async def _serve(job: Json) -> None:
    more = {"lease_seconds": LEASE_SECONDS, "request_seconds": 10.0}
    settings = settings_for(job["environment"], job["url"], Path(job["data"]), PACE, **more)
    async with compose(settings) as app:
        if job.get("do") == "recover":
            ended = await app.recovery().recover_active_workflows()
            said = {"worker": job["worker"], "said": [f"recovered {len(ended)}"]}
            os.write(1, json.dumps(said).encode() + b"\n")
        else:
            await app.service().run()
