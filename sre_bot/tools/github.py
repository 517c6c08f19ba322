"""GitHub through PyGithub: repositories, commits, pull requests, reviews."""

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import count
from typing import Any, TypeVar

from github import Github, GithubException
from github.GithubObject import NotSet, Opt
from github.PullRequest import PullRequest as GithubPullRequest
from github.Repository import Repository

from sre_bot.domain.errors import GitHubAPIError, Reason
from sre_bot.domain.fix import FileEdit
from sre_bot.domain.review import PullRequest, Review
from sre_bot.tools.github_answers import SubmittedReviews, pull_request
from sre_bot.tools.github_client import PER_PAGE, Clients
from sre_bot.tools.github_commit import commit, head_of
from sre_bot.tools.github_errors import message_of, server_date
from sre_bot.tools.repository_names import checked_name

T = TypeVar("T")
WRITING = ("admin", "maintain", "write")


class GitHub:
    """One GitHub, ``https://api.github.com`` or any other; repositories are named ``owner/name``.

    Every method raises ``GitHubAPIError``; ``timeout`` is in seconds, for each request.
    """

    def __init__(self, url: str, token: str, *, timeout: float = 20.0) -> None:
        self._clients = Clients(url, token, timeout)
        self._account = ""

    async def account(self) -> str:
        """Our own login."""
        if not self._account:
            self._account = await self._clients.call("asking who we are", lambda client: client.get_user().login)
        return self._account

    async def server_time(self) -> datetime:
        """GitHub's clock."""
        return await self._clients.call("the time", _server_time)

    async def default_branch(self, repository: str) -> str:
        """The branch that pull requests go into unless told otherwise."""
        return await self._ask(repository, "the default branch", lambda repo: str(repo.default_branch))

    async def clone_url(self, repository: str) -> str:
        """Where git clones it from, without credentials."""
        return await self._ask(repository, "the clone URL", lambda repo: str(repo.clone_url))

    async def head(self, repository: str, branch: str) -> str | None:
        """The commit that a branch stands at, None where there is no such branch."""
        return await self._ask(repository, f"branch {branch}", lambda repo: head_of(repo, branch))

    async def pull_request(self, repository: str, number: int) -> PullRequest:
        """One pull request."""
        return await self._ask(
            repository, f"pull request {number}", lambda repo: pull_request(repo.get_pull(number).raw_data)
        )

    async def find_pull_request(self, repository: str, branch: str) -> PullRequest | None:
        """The newest pull request from a branch, whatever became of it; None where there never was one."""
        return await self._ask(repository, f"pull requests of {branch}", lambda repo: _newest(repo, repository, branch))

    async def reviews(self, repository: str, number: int) -> tuple[Review, ...]:
        """The submitted reviews, oldest first, each with its line comments and whether its author may write."""
        return await self._ask(repository, f"reviews of {number}", lambda repo: _reviews(repo, number))

    async def may_write(self, repository: str, user: str) -> bool:
        """Whether an account may write to the repository; accounts that nobody knows may not."""
        return await self._ask(repository, f"permission of {user}", lambda repo: _may_write(repo, user))

    async def contains(self, repository: str, sha: str, ancestor: str) -> bool:
        """Whether the history of ``sha`` contains ``ancestor``; every commit contains itself."""
        status = await self._ask(
            repository, f"comparison of {ancestor} with {sha}", lambda repo: repo.compare(ancestor, sha).status
        )
        return status in ("ahead", "identical")

    async def commit(self, repository: str, branch: str, base: str, edits: tuple[FileEdit, ...], message: str) -> str:
        """Commit ``edits`` on ``base`` at the head of ``branch``, without force; see ``github_commit.commit``."""
        return await self._ask(
            repository, f"commit on {branch}", lambda repo: commit(repo, branch, base, edits, message)
        )

    async def create_pull_request(
        self, repository: str, *, branch: str, base: str, title: str, body: str
    ) -> PullRequest:
        """Open a pull request; the one that is already open from this branch counts as success."""
        given = {"head": branch, "base": base, "title": title, "body": body}
        return await self._ask(repository, f"pull request from {branch}", lambda repo: _create(repo, repository, given))

    async def update_pull_request(
        self,
        repository: str,
        number: int,
        *,
        title: str | None = None,
        body: str | None = None,
        state: str | None = None,
    ) -> PullRequest:
        """Change what is given; ``state`` is ``open`` or ``closed``."""

        def update(repo: Repository) -> PullRequest:
            repo.get_pull(number).edit(title=_given(title), body=_given(body), state=_given(state))
            return pull_request(repo.get_pull(number).raw_data)

        return await self._ask(repository, f"change of pull request {number}", update)

    async def find_comment(self, repository: str, number: int, marker: str) -> str | None:
        """The id of our own comment in a pull request's conversation that carries a hidden marker.

        Other people's comments never count: they can copy the marker.
        """
        account = await self.account()

        def find(repo: Repository) -> str | None:
            comments = _listed(repo, f"/issues/{number}/comments")
            ours = (comment for comment in comments if (comment["user"] or {}).get("login") == account)
            return next((str(comment["id"]) for comment in ours if _hidden(marker) in (comment["body"] or "")), None)

        return await self._ask(repository, f"comments of {number}", find)

    async def comment(self, repository: str, number: int, body: str, marker: str) -> str:
        """Add to a pull request's conversation, with a hidden marker; returns the comment's id."""
        text = f"{body}\n\n{_hidden(marker)}"
        return await self._ask(
            repository,
            f"comment on {number}",
            lambda repo: str(repo.get_pull(number).create_issue_comment(text).id),
        )

    async def merge(self, repository: str, number: int, head: str, title: str) -> str:
        """Merge a pull request whose head is ``head``; returns the merge commit.

        One that was merged at that head already counts as success. Reason ``CONFLICT`` where the head has moved or it
        cannot be merged.
        """
        return await self._ask(
            repository, f"merge of {number}", lambda repo: _merge(repo.get_pull(number), head, title)
        )

    async def _ask(self, repository: str, about: str, question: Callable[[Repository], T]) -> T:
        name = checked_name(repository)
        return await self._clients.call(f"{name}: {about}", lambda client: question(client.get_repo(name)))


def _server_time(client: Github) -> datetime:
    status, headers, body = client.requester.requestJson("GET", "/rate_limit")
    if status >= 400 and status != 404:  # a GitHub Enterprise without rate limits has no such page
        raise GithubException(status, body, headers)
    return server_date(headers)


def _listed(repo: Repository, below: str, **parameters: str) -> Iterator[Any]:
    """All items of a list below the repository, page by page, as GitHub prints them.

    PyGithub's own lists ask again for every item that lacks a field.
    """
    for page in count(1):
        asked = {**parameters, "per_page": PER_PAGE, "page": page}
        headers, items = repo.requester.requestJsonAndCheck("GET", f"{repo.url}{below}", parameters=asked)
        if not isinstance(items, list):
            raise ValueError(f"the list {below} is none")
        yield from items
        if 'rel="next"' not in headers.get("link", ""):
            return


def _pulls_of(repo: Repository, name: str, branch: str) -> list[PullRequest]:
    """All pull requests from a branch of the repository itself, newest first."""
    head = f"{name.partition('/')[0]}:{branch}"
    pulls = _listed(repo, "/pulls", state="all", head=head, sort="created", direction="desc")
    found = [pull_request(pull) for pull in pulls]
    return [pull for pull in found if pull.branch == branch]


def _newest(repo: Repository, name: str, branch: str) -> PullRequest | None:
    return next(iter(_pulls_of(repo, name, branch)), None)


def _create(repo: Repository, name: str, given: dict[str, str]) -> PullRequest:
    try:
        pull = repo.create_pull(given["base"], given["head"], title=given["title"], body=given["body"])
        return pull_request(pull.raw_data)
    except GithubException as error:
        if error.status != 422 or "already exists" not in message_of(error.data):
            raise
        pulls = _pulls_of(repo, name, given["head"])
        found = next((pull for pull in pulls if pull.state == "open" and pull.base_branch == given["base"]), None)
        if found is None:
            raise
        return found


def _reviews(repo: Repository, number: int) -> tuple[Review, ...]:
    reviews = list(_listed(repo, f"/pulls/{number}/reviews"))
    comments = list(_listed(repo, f"/pulls/{number}/comments")) if reviews else []
    submitted = SubmittedReviews(reviews, comments)
    return submitted.with_writers({author for author in submitted.authors if _may_write(repo, author)})


def _may_write(repo: Repository, user: str) -> bool:
    try:
        return repo.get_collaborator_permission(user) in WRITING
    except GithubException as error:
        if error.status != 404:
            raise
        return False


def _merge(pull: GithubPullRequest, head: str, title: str) -> str:
    try:
        merged = pull.merge(commit_title=title, sha=head, merge_method="merge")
    except GithubException as error:
        if error.status != 405:
            raise
        now = pull_request(pull.raw_data)
        if not now.merged or now.head != head:
            raise
        return now.merge_sha
    if not merged.merged:
        raise GitHubAPIError(f"merge of {pull.number}: {merged.message}", reason=Reason.CONFLICT)
    return merged.sha


def _hidden(marker: str) -> str:
    return f"<!-- sre-bot: {marker} -->"


def _given(value: Any) -> Opt[Any]:
    return NotSet if value is None else value
