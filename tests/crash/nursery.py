"""Where workers come from: a small process with everything imported, which has neither an event loop nor a pool.

It is told a module whose ``prepare()`` gives what a worker does with its job, reads a job a line, forks for it, and
answers with the child's process id; the children answer for themselves.
"""

import gc
import importlib
import json
import os
import select
import sys
from collections.abc import Callable


def main() -> None:
    """Serve until standard input ends."""
    work = importlib.import_module(sys.argv[1]).prepare()
    gc.collect()
    gc.freeze()
    pending = b""
    while data := _next_input():
        pending += data
        *lines, pending = pending.split(b"\n")
        for line in lines:
            _bear(json.loads(line), work)


def _next_input() -> bytes:
    """What came, while children that have ended are buried."""
    while not select.select([0], [], [], 0.05)[0]:
        _bury()
    _bury()
    return os.read(0, 1 << 16)


def _bury() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _bear(job: dict[str, object], work: Callable[[dict[str, object]], None]) -> None:
    child = os.fork()
    if child:
        os.write(1, json.dumps({"worker": job["worker"], "pid": child}).encode() + b"\n")
        return
    try:
        work(job)
        sys.stderr.flush()
        os._exit(0)
    finally:
        sys.excepthook(*sys.exc_info())  # pyright: ignore[reportArgumentType]
        sys.stderr.flush()
        os._exit(70)


if __name__ == "__main__":
    main()
