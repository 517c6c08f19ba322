"""A lane of ring 2: one Postgres and one nursery, and scenarios side by side, ordered as in ring 1."""

import asyncio
import shutil

from tests.crash.application import Stage
from tests.crash.children import Nursery
from tests.crash.lane import serve_orders
from tests.crash.postgres import Server
from tests.places import new_folder

_ORDERS = {"census": Stage.census, "run": Stage.run, "run together": Stage.run_together}


async def _serve(server: Server) -> None:
    nursery = await Nursery.start(lambda: ("127.0.0.1", server.port), "tests.crash.serving")
    stage = Stage(server, nursery)
    await serve_orders(lambda order: _ORDERS[order["do"]](stage, order))
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
