"""The lab's GitHub as a store: one real git repository, its people, its pull requests. Knows nothing of HTTP."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

from sre_bot.domain.errors import BadInput
from sre_bot.domain.review import LineComment
from sre_bot.lab.diffs import differences
from sre_bot.lab.git_objects import Signature
from sre_bot.lab.git_repository import GitRepository
from sre_bot.lab.pull_requests import ConversationComment, Pull, ReviewComment, ReviewState, SubmittedReview
from sre_bot.lab.recorded_history import build_repository
from sre_bot.lab.world import World

Role = Literal["admin", "maintain", "write", "triage", "read", "none"]
MergeMethod = Literal["merge", "squash", "rebase"]
PERSON = "team-lead"
"""The person whose token is the world's control token."""


class NotMergeable(BadInput):
    """A pull request that cannot be merged as it is: closed, a draft, in conflict, or not yet approved."""


class HeadMoved(BadInput):
    """The head, or the branch that it goes into, is no longer where the caller thought."""


@dataclass(slots=True)
class Hub:
    """The state of the lab's GitHub. ``repository`` is None where the recording has none; ``name`` is then empty."""

    world: World
    name: str
    default_branch: str
    repository: GitRepository | None
    roles: dict[str, Role]
    pulls: dict[int, Pull] = field(default_factory=dict[int, Pull])
    protected: set[str] = field(default_factory=set[str])
    _ids: int = 1_000_000
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    def create(cls, world: World) -> Self:
        """Build the recording's repository under the world's data directory. Raises ``BadRecording``."""
        recorded = world.recording.incident.repository
        roles: dict[str, Role] = {world.bot_account: "write", PERSON: "admin"}
        if recorded is None:
            return cls(world, "", "main", None, roles)
        repository = build_repository(world.recording, world.data / "git" / f"{recorded.name}.git")
        return cls(world, recorded.name, recorded.branch, repository, roles)

    @property
    def git(self) -> GitRepository:
        """The repository. Raises ``BadInput`` where the incident has none."""
        if self.repository is None:
            raise BadInput("this incident has no repository")
        return self.repository

    @property
    def root(self) -> Path:
        """The folder under which the repository stands at ``<name>.git``."""
        return self.world.data / "git"

    @property
    def writers(self) -> set[str]:
        """Who may write to the repository."""
        return {login for login, role in self.roles.items() if role in ("admin", "maintain", "write")}

    def clone_url(self) -> str:
        """Where git clones it from."""
        return f"{self.world.urls['github']}/{self.name}.git"

    def next_id(self) -> int:
        """A new id, for anything."""
        self._ids += 1
        return self._ids

    async def head(self, branch: str) -> str | None:
        """The commit that a branch stands at, None where there is no such branch."""
        return (await self.git.refs(f"refs/heads/{branch}")).get(f"refs/heads/{branch}")

    async def tree(self, sha: str) -> dict[str, str]:
        """The text files of a commit: path → text. Binary files and links are left out."""
        return await self.git.text_files(sha)

    def signature(self, login: str) -> Signature:
        """Somebody's signature at the incident's time."""
        return Signature(login, f"{login}@example.com", self.world.clock.now())

    async def push(
        self,
        branch: str,
        files: dict[str, str | None],
        message: str,
        author: str = PERSON,
        *,
        force: bool = False,
        base: str = "",
    ) -> str:
        """Commit files (None deletes) as a person, past any protection; returns the new head.

        A branch that does not exist starts at ``base``, else at the default branch. With ``force`` an existing one
        restarts at ``base``, else at its head's parent. Raises ``BadInput`` where ``base`` is unknown.
        """
        async with self._writing:
            head = await self.head(branch)
            parent = await self._parent_of_push(head, force, base)
            tree = await self.git.tree_with(parent, files)
            who = self.signature(author)
            sha = await self.git.write_commit(tree, (parent,) if parent else (), message, who, who)
            await self.git.move(f"refs/heads/{branch}", sha, head)
            return sha

    async def _parent_of_push(self, head: str | None, force: bool, base: str) -> str | None:
        if head and not force:
            return head
        if base or head is None:
            start = await self.git.resolve(base or self.default_branch)
            if base and start is None:
                raise BadInput(f"{base!r} is neither a branch nor a commit of {self.name}")
            return start
        parents = (await self.git.commit(head)).parents
        return parents[0] if parents else None

    async def pull(self, number: int) -> Pull:
        """A pull request, its head read again from its branch. Raises ``BadInput`` where there is none."""
        if number not in self.pulls:
            raise BadInput(f"{self.name or 'this incident'} has no pull request {number}")
        await self._follow(self.pulls[number])
        return self.pulls[number]

    async def all_pulls(self) -> list[Pull]:
        """All pull requests by number, heads up to date."""
        return [await self.pull(number) for number in sorted(self.pulls)]

    async def _follow(self, pull: Pull) -> None:
        """Let an open pull request's head follow its branch; one whose branch is gone is closed."""
        if not pull.open:
            return
        head = await self.head(pull.branch)
        if head is None:
            pull.close(self.world.clock.now())
        elif head != pull.head:
            pull.head, pull.updated_at = head, self.world.clock.now()
            pull.base_sha = await self.head(pull.base) or pull.base_sha
            await self._keep_head(pull)

    async def _keep_head(self, pull: Pull) -> None:
        await self.git.git("update-ref", f"refs/pull/{pull.number}/head", pull.head)

    async def open_pull(self, *, author: str, title: str, body: str, branch: str, base: str, draft: bool) -> Pull:
        """Open a pull request between two existing branches; the caller has checked that it is new."""
        now, head, base_sha = self.world.clock.now(), await self.head(branch), await self.head(base)
        if head is None or base_sha is None:
            raise BadInput(f"{branch!r} or {base!r} is no branch of {self.name}")
        number = len(self.pulls) + 1
        pull = Pull(self.next_id(), number, author, title, body, branch, base, head, base_sha, now, now, draft)
        self.pulls[number] = pull
        await self._keep_head(pull)
        return pull

    async def review(
        self,
        number: int,
        reviewer: str,
        state: ReviewState,
        body: str = "",
        comments: tuple[LineComment, ...] = (),
        may_write: bool | None = None,
        *,
        commit: str = "",
    ) -> SubmittedReview:
        """Review a pull request as a person, on its current head unless ``commit`` says otherwise.

        ``may_write`` makes the reviewer somebody who may, or may not, write. Raises ``BadInput`` where there is no
        such pull request, or a comment is on a file that it does not touch.
        """
        pull = await self.pull(number)
        if may_write is not None:
            self.roles[reviewer] = "write" if may_write else "read"
        now = self.world.clock.now()
        submitted = None if state == "PENDING" else now
        review = SubmittedReview(self.next_id(), reviewer, state, body, commit or pull.head, submitted)
        pull.review_comments += [await self._line_comment(pull, review, comment) for comment in comments]
        pull.reviews.append(review)
        pull.updated_at = now
        return review

    async def _line_comment(self, pull: Pull, review: SubmittedReview, comment: LineComment) -> ReviewComment:
        start = await self.git.merge_base(pull.base_sha, review.commit) or pull.base_sha
        touched = {file.path: file for file in await differences(self.git, start, review.commit)}
        if comment.path not in touched:
            raise BadInput(f"{comment.path!r} is not part of pull request {pull.number}; it touches {sorted(touched)}")
        file = touched[comment.path]
        return ReviewComment(
            id=self.next_id(),
            review=review.id,
            author=review.author,
            commit=review.commit,
            blob=file.sha,
            hunk=file.hunk_at(comment.line),
            comment=comment,
            created_at=self.world.clock.now(),
        )

    async def dismiss(self, review_id: int) -> SubmittedReview:
        """Dismiss a review, whichever pull request it belongs to. Raises ``BadInput`` where there is none."""
        for pull in await self.all_pulls():
            review = pull.review_of(review_id)
            if review:
                review.state = "DISMISSED"
                pull.updated_at = self.world.clock.now()
                return review
        raise BadInput(f"there is no review {review_id}")

    async def say(self, number: int, author: str, body: str) -> ConversationComment:
        """Comment in a pull request's conversation."""
        pull = await self.pull(number)
        comment = ConversationComment(self.next_id(), author, body, self.world.clock.now())
        pull.conversation.append(comment)
        pull.updated_at = comment.created_at
        return comment

    async def close(self, number: int) -> Pull:
        """Close a pull request without merging it."""
        pull = await self.pull(number)
        pull.close(self.world.clock.now())
        return pull

    def protect(self, branch: str) -> None:
        """Refuse pushes to a branch; what goes in is an approved pull request."""
        self.protected.add(branch)
        (self.git.path / "protected").write_text("".join(f"refs/heads/{name}\n" for name in sorted(self.protected)))

    async def mergeable(self, pull: Pull) -> bool:
        """Whether git can merge its head into its base branch as it is now."""
        base = await self.head(pull.base)
        return base is not None and await self.git.merged_tree(base, pull.head) is not None

    async def merge(
        self, number: int, by: str = PERSON, *, method: MergeMethod = "merge", title: str = "", message: str = ""
    ) -> str:
        """Merge a pull request with git; returns the new head of its base branch.

        Raises ``NotMergeable`` or ``HeadMoved`` and leaves everything as it was.
        """
        async with self._writing:
            pull = await self.pull(number)
            base = await self.head(pull.base)
            self._check_mergeable(pull)
            sha = await self._merged(pull, base, self.signature(by), method, _merge_message(self, pull, title, message))
            if sha is None or base is None:
                raise NotMergeable("Pull Request is not mergeable")
            if not await self.git.move(f"refs/heads/{pull.base}", sha, base):
                raise HeadMoved("Base branch was modified. Review and try the merge again.")
            pull.close_merged(sha, by, self.world.clock.now())
            return sha

    def _check_mergeable(self, pull: Pull) -> None:
        if not pull.open:
            raise NotMergeable("Pull Request is not mergeable")
        if pull.draft:
            raise NotMergeable("Pull Request is still a draft")
        if pull.base in self.protected and not pull.approved(self.writers - {pull.author}):
            raise NotMergeable("At least 1 approving review is required by reviewers with write access.")

    async def _merged(
        self, pull: Pull, base: str | None, who: Signature, method: MergeMethod, message: str
    ) -> str | None:
        if base is None:
            return None
        committer = Signature("GitHub", "noreply@github.com", who.date)
        if method == "rebase":
            return await self.git.rebased(base, pull.head, committer)
        tree = await self.git.merged_tree(base, pull.head)
        parents = (base, pull.head) if method == "merge" else (base,)
        return await self.git.write_commit(tree, parents, message, who, committer) if tree else None


def _merge_message(hub: Hub, pull: Pull, title: str, message: str) -> str:
    owner = hub.name.partition("/")[0]
    subject = title or f"Merge pull request #{pull.number} from {owner}/{pull.branch}"
    return f"{subject}\n\n{message or pull.title}\n"
