"""What the sandbox runs first, inside: become nobody, take limits, copy the files, then be the command.

A program of its own (``python3 sandbox_entry.py UID LIMITS COMMAND…``), bound into the sandbox read-only. It uses the
standard library only and never returns. ``UID`` is 0 where the caller's own id is already without rights. ``LIMITS``
are ``NAME=VALUE`` pairs of ``resource`` limits, joined by commas.
"""

import os
import resource
import shutil
import sys
from pathlib import Path

INPUT, WORK = "/input", "/work"


def main(arguments: list[str]) -> None:
    """Drop rights, set limits, copy, exec. Raises ``OSError`` when any of it is refused."""
    uid, limits, *command = arguments
    if int(uid):
        become(int(uid))
    for pair in limits.split(","):
        name, _, value = pair.partition("=")
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (int(value), int(value)))
    copy_files()
    os.chdir(WORK)
    os.execvp(command[0], command)


def copy_files() -> None:
    """Fill the writable folder with the input's files; the folders are ours, so their owners and times are not kept."""
    for folder, _, names in os.walk(INPUT):
        target = WORK + folder.removeprefix(INPUT)
        Path(target).mkdir(exist_ok=True)
        for name in names:
            shutil.copyfile(f"{folder}/{name}", f"{target}/{name}")


def become(uid: int) -> None:
    """Give up root for good: no groups, no way back."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


if __name__ == "__main__":
    main(sys.argv[1:])
