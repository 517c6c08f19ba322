"""Rules about the repository and its commits."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from sre_bot.lab.git_repository import git_environment
from tests.incident_folder import IncidentFolder

LARGEST = 1_500_000
"""Bytes of a folder; most have a third of that."""


def a_folder_is_small(folder: IncidentFolder) -> Iterator[str]:
    size = sum(file.stat().st_size for file in folder.recording.folder.rglob("*") if file.is_file())
    if size > LARGEST:
        yield f"it has {size} bytes"


def the_history_applies_in_order_and_keeps_authors_and_dates(folder: IncidentFolder) -> Iterator[str]:
    patches = sorted((folder.recording.folder / "history").glob("*.patch"))
    dates = [date for _, date, _, _ in folder.history]
    if not len(folder.history) == len(patches) + 1 >= 6:
        yield f"{len(patches)} patches make {len(folder.history)} commits"
    yield from (f"the commit of {later} follows that of {earlier}" for earlier, later in _backwards(dates))
    if dates[-1] >= folder.recording.now:
        yield f"the last commit is of {dates[-1]}, after now"
    if len({author for _, _, author, _ in folder.history[1:]}) < 2:
        yield "one person wrote everything"


def _backwards(dates: list[datetime]) -> Iterator[tuple[datetime, datetime]]:
    return ((earlier, later) for earlier, later in pairwise(dates) if earlier > later)


def the_guilty_commit_is_there_once_and_so_are_the_tempting_ones(folder: IncidentFolder) -> Iterator[str]:
    expect = folder.recording.incident.expect
    subjects = [subject for _, _, _, subject in folder.history[1:]]
    named = [*expect.decoys, *([expect.culprit] if expect.culprit != "none" else [])]
    yield from (f"{name!r} is there {subjects.count(name)} times" for name in named if subjects.count(name) != 1)
    if expect.culprit in expect.decoys:
        yield f"{expect.culprit!r} is guilty and innocent"


def a_program_in_the_repository_passes_its_own_tests_at_the_head(folder: IncidentFolder) -> Iterator[str]:
    if any(name.startswith("tests/") and name.endswith(".py") for name in folder.files):
        homes = sorted({name.partition("/")[0] for name in folder.files if name.endswith(".py")} - {"tests"})
        environment = git_environment(folder.clone) | {"PYTHONPATH": ":".join(homes)}
        command = [sys.executable, "-B", "-m", "unittest", "discover", "-s", "tests"]
        run = subprocess.run(command, cwd=folder.clone, env=environment, capture_output=True, check=False)
        if run.returncode != 0 or b"Ran 0 tests" in run.stderr:
            yield run.stderr.decode()


RULES = (
    a_folder_is_small,
    the_history_applies_in_order_and_keeps_authors_and_dates,
    the_guilty_commit_is_there_once_and_so_are_the_tempting_ones,
    a_program_in_the_repository_passes_its_own_tests_at_the_head,
)
