"""A git repository on this machine, somebody's own clone, read as it lies there and never changed.

Only what is committed counts. Nothing that the repository's own configuration names is run: no hook, no filter, no
file-system monitor, no signature check, no helper that would fetch what a partial clone lacks.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sre_bot.domain.errors import BadInput, GitHubAPIError
from sre_bot.domain.source import SourceHistory
from sre_bot.tools.git_command import Git
from sre_bot.tools.workspace import read_history

GIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class LocalClone:
    """One repository. ``top`` is its folder, ``inside`` the folder below it that was named, with slashes."""

    top: Path
    inside: str
    git: Git

    @classmethod
    def at(cls, path: Path) -> "LocalClone":
        """The repository that a folder is, or stands in. Raises ``BadInput`` where there is none."""
        folder = path.resolve()
        if not folder.is_dir():
            raise BadInput(f"{str(path)!r} is no folder; --repo takes the path of a git clone")
        for top in (folder, *folder.parents):
            place = _git_folder(top)
            if place is not None:
                inside = folder.relative_to(top).as_posix()
                return cls(top, "" if inside == "." else inside, Git(place, GIT_SECONDS, protocols="none"))
        raise BadInput(f"{str(path)!r} is no git repository, and stands in none")

    async def history(self, path: str | None = None, *, commits: int = 200) -> SourceHistory:
        """The tree of the commit that is checked out, and its newest commits; ``path`` is what is deployed of it.

        Raises ``BadInput`` in git's words where the repository cannot be read or has no commit.
        """
        folder = str(PurePosixPath(path.strip("/"))) if path and path.strip("/.") else ""
        try:
            head = (await self.git.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}")).decode().strip()
            named = (await self.git.run("rev-parse", "--abbrev-ref", "HEAD")).decode(errors="replace").strip()
            branch = "" if named == "HEAD" else named
            return await read_history(self.git, self.name, branch, folder, commits=commits, head=head)
        except GitHubAPIError as error:
            message = str(error).removeprefix("GitHub: ")
            raise BadInput(f"the repository {str(self.top)!r} has no commit, or cannot be read: {message}") from error

    @property
    def name(self) -> str:
        """What to call it: the name of its folder."""
        return self.top.name.removesuffix(".git") or "repository"


async def clone_at(path: Path) -> LocalClone:
    """The repository at a path, looked up in a thread. Raises ``BadInput``."""
    return await asyncio.to_thread(LocalClone.at, path)


def _git_folder(top: Path) -> Path | None:
    """Git's own folder of a clone, a worktree, or a bare repository; None where there is none."""
    if (top / ".git").exists():
        return top / ".git"
    if (top / "HEAD").is_file() and (top / "objects").is_dir() and (top / "refs").is_dir():
        return top
    return None
