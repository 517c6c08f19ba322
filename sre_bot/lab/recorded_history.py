"""From an incident folder to a bare repository: ``repo/`` and ``history/*.patch``, or ``repo.bundle``.

The same folder always gives the same shas: authors, dates and messages come from the patches, and the committer's date
is the author's date.
"""

import email
import email.policy
import subprocess
import tempfile
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

from sre_bot.domain.errors import BadRecording
from sre_bot.lab.git_objects import git_date
from sre_bot.lab.git_repository import GitRepository, git_environment, git_program
from sre_bot.lab.recording import Recording

COMMITTER = {"GIT_COMMITTER_NAME": "GitHub", "GIT_COMMITTER_EMAIL": "noreply@github.com"}
FIRST_AUTHOR = {"GIT_AUTHOR_NAME": "Platform Team", "GIT_AUTHOR_EMAIL": "platform@example.com"}
FIRST_MESSAGE = "Start the repository"

_SERVING = """
[http]
	receivepack = true
[uploadpack]
	allowAnySHA1InWant = true
[receive]
	autogc = false
	denyDeleteCurrent = ignore
[gc]
	auto = 0
"""
_UPDATE_HOOK = """#!/bin/sh
grep -qxF "$1" protected || exit 0
echo "error: GH006: Protected branch update failed for $1." >&2
echo "error: Changes must be made through a pull request." >&2
exit 1
"""


def build_repository(recording: Recording, path: Path) -> GitRepository:
    """Make the bare repository at ``path``. Raises ``BadRecording`` that says which patch or bundle does not fit."""
    recorded = recording.incident.repository
    return replay(recording.folder, recorded.branch if recorded else "main", recording.now, path)


def replay(folder: Path, branch: str, now: datetime, path: Path) -> GitRepository:
    """The same from the parts: the incident folder, its branch and its clock. Raises ``BadRecording``."""
    folder = folder.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    _git(path.parent, "init", "--quiet", "--bare", "--template=", f"--initial-branch={branch}", str(path))
    if (folder / "repo.bundle").is_file():
        _fetch(path, folder / "repo.bundle", "refs/heads/*:refs/heads/*")
    elif (folder / "repo").is_dir():
        with tempfile.TemporaryDirectory(dir=path.parent) as work:
            _apply(folder, Path(work), branch, now)
            _fetch(path, Path(work), f"refs/heads/{branch}:refs/heads/{branch}")
    _prepare_for_serving(path)
    return GitRepository(path)


def _apply(folder: Path, work: Path, branch: str, now: datetime) -> None:
    patches = sorted((folder / "history").glob("*.patch"))
    source = folder / "repo"
    _git(work, "init", "--quiet", "--template=", f"--initial-branch={branch}")
    _git(work, f"--git-dir={work / '.git'}", f"--work-tree={source}", "add", "--all", "--force", ".", cwd=source)
    _git(work, "commit", "--quiet", "--allow-empty", "--message", FIRST_MESSAGE, first=_first_date(now, patches))
    _git(work, "reset", "--quiet", "--hard")
    if patches:
        names = [str(patch.resolve()) for patch in patches]
        _git(work, "am", "--quiet", "--keep-cr", "--committer-date-is-author-date", *names)


def _first_date(now: datetime, patches: list[Path]) -> datetime:
    if not patches:
        return now - timedelta(days=30)
    message = email.message_from_bytes(patches[0].read_bytes(), policy=email.policy.default)
    try:
        return parsedate_to_datetime(str(message["Date"])) - timedelta(days=1)
    except ValueError as error:
        raise BadRecording(f"{patches[0]} has no Date that can be read") from error


def _fetch(path: Path, source: Path, refspec: str) -> None:
    _git(path.parent, f"--git-dir={path}", "fetch", "--quiet", "--no-tags", str(source.resolve()), f"+{refspec}")


def _prepare_for_serving(path: Path) -> None:
    """Let clients push, fetch any commit they know of, and be refused on protected branches."""
    with (path / "config").open("a") as config:
        config.write(_SERVING)
    (path / "protected").touch()
    hook = path / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(_UPDATE_HOOK)
    hook.chmod(0o755)


def _git(work: Path, *arguments: str, cwd: Path | None = None, first: datetime | None = None) -> None:
    environment = git_environment(work) | COMMITTER | FIRST_AUTHOR
    if first:
        environment |= {"GIT_AUTHOR_DATE": git_date(first), "GIT_COMMITTER_DATE": git_date(first)}
    result = subprocess.run(
        [git_program(), "-c", "core.hooksPath=/dev/null", "-c", "core.autocrlf=false", *arguments],
        cwd=cwd or work,
        env=environment,
        capture_output=True,
        check=False,
    )
    if result.returncode != 0:
        complaint = (result.stderr.strip() or result.stdout.strip()).decode(errors="replace")
        command = next(argument for argument in arguments if not argument.startswith("-"))
        raise BadRecording(f"git {command}: {complaint}")
