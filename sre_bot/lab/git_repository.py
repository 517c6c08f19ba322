"""A bare git repository on disk, read and written through git's plumbing."""

import asyncio
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sre_bot.lab.git_objects import (
    NO_OBJECT,
    CommitRecord,
    Signature,
    TreeEntry,
    committed_by,
    parse_commit,
    parse_entry,
    signed_by,
)


class GitFailed(Exception):
    """Git refused; the message is what it printed."""


def git_program() -> str:
    """The path of git. Raises ``GitFailed`` where there is none."""
    found = shutil.which("git")
    if found is None:
        raise GitFailed("git is not installed: apt-get install git")
    return found


def git_environment(home: Path) -> dict[str, str]:
    """A clean environment: nothing of the user's git, one language, one time zone."""
    return {
        "PATH": f"{Path(git_program()).parent}:{os.defpath}",
        "HOME": str(home),
        "LC_ALL": "C",
        "TZ": "UTC",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
    }


@dataclass(frozen=True, slots=True)
class GitRepository:
    """One bare repository at ``path``."""

    path: Path

    async def git(self, *arguments: str, stdin: bytes = b"", environment: dict[str, str] | None = None) -> bytes:
        """Run git here and return what it printed. Raises ``GitFailed`` on any exit code but 0."""
        code, output, complaint = await self._run(arguments, stdin, environment or {})
        if code != 0:
            raise GitFailed(complaint.decode(errors="replace").strip() or f"git {arguments[0]} ended with {code}")
        return output

    async def agrees(self, *arguments: str) -> bool:
        """Whether git ends with 0."""
        code, _, _ = await self._run(arguments, b"", {})
        return code == 0

    async def _run(
        self, arguments: tuple[str, ...], stdin: bytes, environment: dict[str, str]
    ) -> tuple[int, bytes, bytes]:
        process = await asyncio.create_subprocess_exec(
            git_program(),
            f"--git-dir={self.path}",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=git_environment(self.path) | environment,
        )
        output, complaint = await process.communicate(stdin)
        return process.returncode or 0, output, complaint

    async def resolve(self, name: str) -> str | None:
        """The commit that a branch, a tag or a sha names, None where there is no such commit."""
        for candidate in (f"refs/heads/{name}", name):
            code, output, _ = await self._run(
                ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{candidate}^{{commit}}"), b"", {}
            )
            if code == 0:
                return output.decode().strip()
        return None

    async def refs(self, prefix: str = "refs/heads/") -> dict[str, str]:
        """All refs under a prefix with their shas, by name."""
        output = await self.git("for-each-ref", "--format=%(refname) %(objectname)", prefix)
        return dict(line.split(" ", 1) for line in output.decode().splitlines())

    async def commit(self, sha: str) -> CommitRecord:
        """One commit. Raises ``GitFailed`` where there is none."""
        return parse_commit(sha, await self.git("cat-file", "commit", sha))

    async def log(self, *revisions: str) -> list[str]:
        """The shas that ``git rev-list`` prints for these arguments."""
        return (await self.git("rev-list", *revisions)).decode().split()

    async def merge_base(self, one: str, other: str) -> str | None:
        """The best common ancestor, None for unrelated histories."""
        code, output, _ = await self._run(("merge-base", one, other), b"", {})
        return output.decode().strip() if code == 0 else None

    async def is_ancestor(self, ancestor: str, sha: str) -> bool:
        """Whether ``sha``'s history contains ``ancestor``; every commit contains itself."""
        return await self.agrees("merge-base", "--is-ancestor", ancestor, sha)

    async def entries(self, tree: str, *, recursive: bool = False) -> list[TreeEntry]:
        """The entries of a tree or of a commit's tree. Raises ``GitFailed`` where there is none."""
        flags = ("-r", "-t") if recursive else ()
        output = await self.git("ls-tree", "-z", "-l", "--full-tree", *flags, tree)
        return [parse_entry(record) for record in output.decode(errors="replace").split("\0") if record]

    async def blob(self, sha: str) -> bytes:
        """A blob's bytes. Raises ``GitFailed`` where there is none."""
        return await self.git("cat-file", "blob", sha)

    async def write_blob(self, content: bytes) -> str:
        """Store a blob; returns its sha."""
        return (await self.git("hash-object", "-w", "--stdin", stdin=content)).decode().strip()

    async def write_tree(self, start: str | None, entries: list[tuple[str, str, str | None]]) -> str:
        """Store a tree: that of ``start`` with entries ``(path, mode, sha)`` put in, or taken out where sha is None."""
        with tempfile.TemporaryDirectory(dir=self.path) as folder:
            index = {"GIT_INDEX_FILE": f"{folder}/index"}
            await self.git("read-tree", *([start] if start else ["--empty"]), environment=index)
            for path, mode, sha in entries:
                if mode == "040000" and sha:
                    await self.git("read-tree", f"--prefix={path}/", sha, environment=index)
            lines = [
                f"{mode} {sha}\t{path}\0" if sha else f"0 {NO_OBJECT}\t{path}\0"
                for path, mode, sha in entries
                if mode != "040000"
            ]
            await self.git(
                "update-index", "--replace", "-z", "--index-info", stdin="".join(lines).encode(), environment=index
            )
            return (await self.git("write-tree", environment=index)).decode().strip()

    async def write_commit(
        self, tree: str, parents: tuple[str, ...], message: str, author: Signature, committer: Signature
    ) -> str:
        """Store a commit; returns its sha."""
        flags = [flag for parent in parents for flag in ("-p", parent)]
        output = await self.git(
            "commit-tree", tree, *flags, stdin=message.encode(), environment=signed_by(author, committer)
        )
        return output.decode().strip()

    async def move(self, ref: str, sha: str, expected: str | None) -> bool:
        """Set a ref if it still stands at ``expected`` (None: does not exist yet). False when somebody was faster."""
        return await self.agrees("update-ref", ref, sha, expected or NO_OBJECT)

    async def merged_tree(self, base: str, head: str) -> str | None:
        """The tree of a clean merge of two commits, None where they conflict or share no history."""
        code, output, _ = await self._run(("merge-tree", "--write-tree", "--no-messages", base, head), b"", {})
        return output.decode().splitlines()[0] if code == 0 else None

    async def rebased(self, base: str, head: str, committer: Signature) -> str | None:
        """Put the commits that only ``head`` has on top of ``base``; the last one's sha, None on a conflict."""
        with tempfile.TemporaryDirectory(dir=self.path) as folder:
            tree = f"{folder}/tree"
            await self.git("worktree", "add", "--detach", "--quiet", tree, base)
            try:
                await self.git(
                    *(f"--work-tree={tree}", f"--git-dir={tree}/.git", "cherry-pick", f"{base}..{head}"),
                    environment=committed_by(committer),
                )
                return (await self.git(f"--git-dir={tree}/.git", "rev-parse", "HEAD")).decode().strip()
            except GitFailed:
                return None
            finally:
                await self.git("worktree", "remove", "--force", tree)

    async def tree_with(self, start: str | None, files: dict[str, str | None]) -> str:
        """Store the tree of ``start`` with these files' texts in it, None taking one out. Modes are kept."""
        modes = {entry.path: entry.mode for entry in await self.entries(start, recursive=True)} if start else {}
        entries = [
            (path, modes.get(path, "100644"), None if text is None else await self.write_blob(text.encode()))
            for path, text in files.items()
        ]
        return await self.write_tree(start, entries)

    async def text_files(self, sha: str) -> dict[str, str]:
        """The text files of a commit: path → text. Binary files and links are left out."""
        files: dict[str, str] = {}
        for entry in await self.entries(sha, recursive=True):
            content = await self.blob(entry.sha) if entry.mode in ("100644", "100755") else b"\0"
            if b"\0" not in content:
                files[entry.path] = content.decode(errors="replace")
        return files
