"""A lane of ring 2: one Postgres and one nursery, and scenarios one after the other, a line each as in ring 1."""

import asyncio
import json
import shutil
import sys

from tests.crash import application
from tests.crash.children import Nursery
from tests.crash.postgres import Server
from tests.places import new_folder

_ORDERS = {"census": application.census, "run": application.run}


async def _serve(server: Server) -> None:
    nursery = await Nursery.start(lambda: ("127.0.0.1", server.port), "tests.crash.serving")
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        answer = await _ORDERS[order["do"]](server, nursery, order)
        print("\x1e" + json.dumps(answer), flush=True)
    await nursery.close()


def main() -> None:
    """Serve until standard input ends."""
    folder = new_folder()
    try:
        with Server.start(folder / "postgres") as server:
            asyncio.run(_serve(server))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
