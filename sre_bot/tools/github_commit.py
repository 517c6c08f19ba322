"""A commit through GitHub's Git Data API: blobs, tree, commit, ref. No clone, no force, and safe to repeat."""

import base64
import hashlib
from dataclasses import dataclass

from github import GithubException, InputGitTreeElement
from github.GitCommit import GitCommit
from github.GitRef import GitRef
from github.Repository import Repository

from sre_bot.domain.errors import GitHubAPIError, Reason
from sre_bot.domain.fix import FileEdit

FILE_MODES = ("100644", "100755")
NEW_FILE_MODE = "100644"
NO_SUCH_BRANCH = (404, 409)
"""409 is what an empty repository answers."""


def head_of(repository: Repository, branch: str) -> str | None:
    """The commit that a branch stands at, None where there is no such branch."""
    ref = _ref(repository, branch)
    return ref.object.sha if ref else None


def _ref(repository: Repository, branch: str) -> GitRef | None:
    try:
        return repository.get_git_ref(f"heads/{branch}").complete()
    except GithubException as error:
        if error.status not in NO_SUCH_BRANCH:
            raise
        return None


def commit(repository: Repository, branch: str, base: str, edits: tuple[FileEdit, ...], message: str) -> str:
    """Put ``edits`` on top of the commit ``base`` at the head of ``branch``; returns the commit.

    A branch that does not exist is made. One whose head already is this change on this base is left alone and its head
    returned, so a repeat makes nothing new. Raises ``GitHubAPIError`` with reason ``CONFLICT`` where the branch stands
    elsewhere or a file at ``base`` is not as the edits expect it, ``REFUSED`` where the edits change nothing.
    """
    ref = _ref(repository, branch)
    before = repository.get_git_commit(base)
    tree = _Tree(repository, before.tree.sha, {})
    elements = [tree.element(edit) for edit in edits]
    after = repository.create_git_tree(elements, before.tree)
    if after.sha == before.tree.sha:
        raise GitHubAPIError("the edits change nothing", reason=Reason.REFUSED)
    if ref and ref.object.sha != base:
        return _same_commit(repository, branch, ref.object.sha, base, after.sha)
    made = repository.create_git_commit(message, after, [before])
    return _move(repository, branch, ref, base, made)


def _move(repository: Repository, branch: str, ref: GitRef | None, base: str, made: GitCommit) -> str:
    """Point the branch at the new commit, unless somebody was faster."""
    try:
        if ref:
            ref.edit(made.sha, force=False)
        else:
            repository.create_git_ref(f"refs/heads/{branch}", made.sha)
    except GithubException as error:
        now = head_of(repository, branch) if error.status == 422 else None
        if now is None:
            raise
        return _same_commit(repository, branch, now, base, made.tree.sha)
    return made.sha


def _same_commit(repository: Repository, branch: str, head: str, base: str, tree: str) -> str:
    """The branch's head, if it is this tree on this base. Raises ``GitHubAPIError`` where it is anything else."""
    found = repository.get_git_commit(head)
    if found.tree.sha == tree and [parent.sha for parent in found.parents] == [base]:
        return found.sha
    message = f"branch {branch!r} stands at {head}, which is neither {base} nor this change on it"
    raise GitHubAPIError(message, reason=Reason.CONFLICT)


@dataclass(frozen=True, slots=True)
class _Tree:
    """The tree that the edits are made on; folders are read when they are needed and remembered."""

    repository: Repository
    sha: str
    folders: dict[str, dict[str, tuple[str, str]]]

    def element(self, edit: FileEdit) -> InputGitTreeElement:
        """The edit as an entry of the new tree. Raises ``GitHubAPIError`` where the file is not as expected."""
        mode, sha = self._entry(edit.path)
        if sha != _blob_sha(edit.before):
            message = f"{edit.path!r} at {self.sha} is not the file that the edit was made for"
            raise GitHubAPIError(message, reason=Reason.CONFLICT)
        if edit.after is None:
            return InputGitTreeElement(edit.path, mode, "blob", sha=None)
        content = base64.b64encode(edit.after.encode()).decode()
        blob = self.repository.create_git_blob(content, "base64")
        return InputGitTreeElement(edit.path, mode, "blob", sha=blob.sha)

    def _entry(self, path: str) -> tuple[str, str | None]:
        folder, _, name = path.rpartition("/")
        mode, sha = self._folder(folder).get(name, (NEW_FILE_MODE, None))
        if mode not in FILE_MODES:
            raise GitHubAPIError(f"{path!r} is no ordinary file (mode {mode})", reason=Reason.REFUSED)
        return mode, sha

    def _folder(self, path: str) -> dict[str, tuple[str, str]]:
        """Mode and sha of each entry of a folder; nothing where there is no such folder."""
        if path not in self.folders:
            parent, _, name = path.rpartition("/")
            mode, sha = self._folder(parent).get(name, ("", "")) if path else ("040000", self.sha)
            entries = self.repository.get_git_tree(sha).tree if mode == "040000" else []
            self.folders[path] = {entry.path: (entry.mode, entry.sha) for entry in entries}
        return self.folders[path]


def _blob_sha(text: str | None) -> str | None:
    """The name that git gives to a file's content."""
    if text is None:
        return None
    content = text.encode()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
