"""A blindfolded command does not see the folder; everything else it does see. Tried as root and as an ordinary user."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from sre_bot.lab.blindfold import CANNOT, blindfolded, can_blindfold
from tests.ordinary_user import PACKAGE, OrdinaryUser
from tests.places import new_folder

PROBE = "import sys; from sre_bot.lab.blindfold import can_blindfold; sys.exit(0 if can_blindfold() else 1)"


class Done(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def able_to_blindfold() -> None:
    if not can_blindfold():
        pytest.skip("this system has no mount namespaces for us")


@pytest.fixture
def secrets() -> Generator[Path]:
    """A folder with something in it, beside one that may be seen."""
    parent = new_folder()
    for name in ("hidden", "open"):
        (parent / name).mkdir()
        (parent / name / "note.txt").write_text(name)
    yield parent
    shutil.rmtree(parent)


@dataclass(frozen=True)
class Runner:
    """Runs a command blindfolded as some user."""

    uid: int
    gid: int
    finish: Callable[..., tuple[int, str, str]]

    def __call__(self, command: list[str], folder: Path) -> Done:
        return Done(*self.finish(*blindfolded(command, folder)[1:]))


def finish_as_ourselves(*arguments: str) -> tuple[int, str, str]:
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment, cwd="/", timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(params=["ourselves", "ordinary user"])
def run(request: pytest.FixtureRequest) -> Runner:
    """Run a command blindfolded, as who runs the tests and as somebody without rights."""
    if request.param == "ourselves":
        return Runner(os.geteuid(), os.getegid(), finish_as_ourselves)
    somebody: OrdinaryUser = request.getfixturevalue("ordinary_user")
    if somebody.run("-c", PROBE)[0] != 0:
        pytest.skip("this system has no user namespaces for ordinary users")
    return Runner(somebody.user.pw_uid, somebody.user.pw_gid, somebody.run)


def test_the_folder_is_empty_for_the_command_and_the_rest_is_not(run: Runner, secrets: Path) -> None:
    done = run(["ls", "-A", str(secrets / "hidden"), str(secrets / "open")], secrets / "hidden")
    assert done.err == ""
    assert done.out == f"{secrets}/hidden:\n\n{secrets}/open:\nnote.txt\n"
    assert (secrets / "hidden" / "note.txt").read_text() == "hidden", "outside nothing has changed"


def test_a_path_through_a_link_is_hidden_too(run: Runner, secrets: Path) -> None:
    link = secrets / "link"
    link.symlink_to(secrets / "hidden")
    done = run(["cat", str(secrets / "hidden" / "note.txt")], link)
    assert done.status == 1
    assert "No such file" in done.err


def test_nothing_can_be_written_there(run: Runner, secrets: Path) -> None:
    done = run(["touch", str(secrets / "hidden" / "new.txt")], secrets / "hidden")
    assert done.status != 0
    assert not (secrets / "hidden" / "new.txt").exists()


def test_the_command_keeps_its_user_and_its_exit_status(run: Runner, secrets: Path) -> None:
    done = run(["sh", "-c", "id -u; id -g; exit 7"], secrets / "hidden")
    assert done.status == 7
    assert done.out.split() == [str(run.uid), str(run.gid)]


def test_a_sandbox_works_inside_and_is_as_blind(run: Runner, secrets: Path) -> None:
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
    sandbox = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-all"]
    sandbox += ["--ro-bind", str(secrets), str(secrets)]
    done = run([*sandbox, "ls", str(secrets / "hidden"), str(secrets / "open")], secrets / "hidden")
    assert done.err == ""
    assert done.out.count("note.txt") == 1


def test_a_folder_that_is_not_there_is_refused(run: Runner, secrets: Path) -> None:
    done = run(["true"], secrets / "nowhere")
    assert done.status == CANNOT
    assert "not a folder" in done.err


def test_a_command_inside_the_folder_is_refused(secrets: Path) -> None:
    inside = blindfolded(["true"], secrets)
    environment = {"PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(inside, capture_output=True, env=environment, cwd=secrets / "hidden", check=False)
    assert done.returncode == CANNOT


def test_a_program_that_is_not_there_is_named(run: Runner, secrets: Path) -> None:
    done = run(["no-such-program"], secrets / "hidden")
    assert done.status == 1
    assert "no program 'no-such-program'" in done.err


def test_a_system_that_forbids_it_is_noticed_and_runs_nothing(ordinary_user: OrdinaryUser, secrets: Path) -> None:
    """A user namespace may allow itself no mount namespaces at all; root in a container may not either."""
    if ordinary_user.run("-c", PROBE)[0] != 0:
        pytest.skip("this system has no user namespaces for ordinary users")
    forbid = "echo 0 > /proc/sys/user/max_mnt_namespaces && exec "
    words = ["unshare", "--user", "--map-root-user", "sh", "-c", forbid + '"$0" "$@"', ordinary_user.python]
    probe = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"
    assert ordinary_user.run("-c", probe, *words, "-c", PROBE)[0] == 1
    attempt = blindfolded(["echo", "ran"], secrets / "hidden")[1:]
    status, out, err = ordinary_user.run("-c", probe, *words, *attempt)
    assert (status, out) == (CANNOT, "")
    assert err.startswith("blindfold: ")
