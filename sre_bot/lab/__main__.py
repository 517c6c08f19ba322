"""``python -m sre_bot.lab INCIDENT --data DIR``: the lab as a process of its own; see ``client.LabProcess``."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path
from types import FrameType

from sre_bot.domain.errors import BadInput
from sre_bot.lab.server import LabOptions, run


def main() -> int:
    """Serve until told to stop; 2 and one sentence on the standard error where the incident cannot be used."""
    signal.signal(signal.SIGTERM, _exit)  # uvicorn raises it again when it has stopped serving
    try:
        asyncio.run(run(_options()))
    except BadInput as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def _options() -> LabOptions:
    parser = argparse.ArgumentParser(prog="python -m sre_bot.lab")
    parser.add_argument("incident", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="an existing private directory")
    parser.add_argument("--port", action="append", default=[], metavar="SERVICE=PORT")
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--cloud", action="store_true", help="Jira is a Cloud site")
    parser.add_argument("--auto-sync", action="store_true", help="Argo CD syncs by itself")
    parser.add_argument("--with-parent", action="store_true", help="stop when the standard input closes")
    given = parser.parse_args()
    ports = {service: int(port) for service, _, port in (pair.partition("=") for pair in given.port)}
    return LabOptions(
        incident=given.incident,
        data=given.data,
        ports=ports,
        speed=given.speed,
        cloud=given.cloud,
        auto_sync=given.auto_sync,
        with_parent=given.with_parent,
    )


if __name__ == "__main__":
    sys.exit(main())
