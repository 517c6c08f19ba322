"""Run a command that cannot see a folder, so that nobody can say the bot has read the answers.

::

    python -m sre_bot.lab.blindfold FOLDER -- COMMAND…

The command gets a mount namespace of its own in which an empty, read-only tmpfs lies over the folder. Root needs no
more than that; an ordinary user first becomes themselves again in a user namespace. It keeps an honest program honest
and is no jail: root may lift the blindfold, and anybody may look through ``/proc`` of their own processes outside it.
A sandbox (``bwrap``) still works inside.
"""

import ctypes
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from sre_bot.domain.errors import BadInput

CANNOT = 125
"""The exit status where the system does not let us hide anything."""

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_MS_RDONLY = 0x1
_MS_NOSUID = 0x2
_MS_NODEV = 0x4
_MS_NOEXEC = 0x8
_MS_REC = 0x4000
_MS_PRIVATE = 0x40000
_LOOK = "import os, sys; sys.exit(len(os.listdir(sys.argv[1])))"


def blindfolded(command: list[str], folder: Path) -> list[str]:
    """Return the command that runs ``command`` without sight of ``folder``, in the same process id."""
    return [sys.executable, "-m", "sre_bot.lab.blindfold", str(folder), "--", *command]


def can_blindfold() -> bool:
    """Whether this system lets us hide a folder: tried, in a child, on a folder with something in it."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "secret").touch()
        look = blindfolded([sys.executable, "-c", _LOOK, folder], Path(folder))
        return subprocess.run(look, capture_output=True, check=False).returncode == 0


def hide(folder: Path) -> None:
    """Hide ``folder`` from this process and its future children.

    Raises ``BadInput`` where it is no folder or we stand in it, ``OSError`` where the system does not allow it. The
    process must have one thread.
    """
    hidden = folder.resolve()
    if not hidden.is_dir() or Path.cwd().is_relative_to(hidden):
        raise BadInput(f"cannot hide {str(folder)!r}: it is not a folder, or the current one is in it.")
    _enter_namespace()
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    flags = _MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
    _mount("tmpfs", str(hidden), "tmpfs", flags, "size=4k,mode=0755")


def _enter_namespace() -> None:
    """Enter a mount namespace of our own: directly where we may, else inside a user namespace."""
    try:
        _unshare(_CLONE_NEWNS)
    except PermissionError:
        user, group = os.geteuid(), os.getegid()
        _unshare(_CLONE_NEWUSER | _CLONE_NEWNS)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _unshare(flags: int) -> None:
    _checked(ctypes.CDLL(None, use_errno=True).unshare(flags), "unshare")


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind)]
    said = None if options is None else options.encode()
    mount = ctypes.CDLL(None, use_errno=True).mount
    _checked(mount(*words, ctypes.c_ulong(flags), said), f"mount {target}")


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def main() -> NoReturn:
    """Hide the first argument and become the command after ``--``."""
    match sys.argv[1:]:
        case [folder, "--", program, *arguments]:
            _run(Path(folder), [program, *arguments])
        case _:
            sys.exit("usage: python -m sre_bot.lab.blindfold FOLDER -- COMMAND…")


def _run(folder: Path, command: list[str]) -> NoReturn:
    try:
        hide(folder)
    except (BadInput, OSError) as error:
        print(f"blindfold: {error}", file=sys.stderr)
        sys.exit(CANNOT)
    try:
        os.execvp(command[0], command)
    except FileNotFoundError:
        sys.exit(f"blindfold: there is no program {command[0]!r}")


if __name__ == "__main__":
    main()
