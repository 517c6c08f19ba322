"""The one door to the outside: every call that changes Jira, GitHub or Argo CD, each performed once.

A request is rendered once and stored; a repetition after a crash looks before it acts. ``name`` and the case's round
make the key, never the attempt or the time.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import RunnableConfig

from sre_bot.domain.errors import JiraError, Reason, ServiceError
from sre_bot.domain.fix import FileEdit
from sre_bot.graph.state import Case, Json
from sre_bot.persistence.effects import Effects
from sre_bot.persistence.workflows import Claim, Workflows
from sre_bot.tools.argocd import ArgoCD
from sre_bot.tools.github import GitHub
from sre_bot.tools.jira import Jira

Act = Callable[[Json], Awaitable[Json]]
Look = Callable[[Json], Awaitable[Json | None]]

COMMENT_LIMIT = 30_000
PULL_REQUEST_LIMIT = 60_000
"""Characters; Jira refuses a comment from 32,768 on, GitHub a pull request's text from 65,537 on."""


async def _nothing_there(_: Json) -> None:
    """The look of an act that is safe to repeat: the target guards itself."""


@dataclass(frozen=True, slots=True)
class Outward:
    """The effects of the workflow, named as people would say them."""

    effects: Effects
    workflows: Workflows
    jira: Jira
    github: GitHub
    argocd: ArgoCD | None

    async def claim_of(self, config: RunnableConfig) -> Claim:
        """The lease under which this run writes. Raises ``LeaseLost`` when there is none."""
        settings: dict[str, Any] = config.get("configurable", {})
        workflow_id = str(settings["thread_id"])
        if "fence" in settings:
            return Claim(workflow_id=workflow_id, owner=str(settings["owner"]), fence=int(settings["fence"]))
        return await self.workflows.current_claim(workflow_id)

    async def tell_ticket(self, state: Case, config: RunnableConfig, name: str, body: str) -> None:
        """Comment on the ticket; a ticket that was deleted meanwhile cannot be told and stops nothing."""
        claim = await self.claim_of(config)
        await self.tell(claim, state["ticket_id"], state.get("round", 0), name, body)

    async def tell(self, claim: Claim, ticket: str, round: int, name: str, body: str) -> None:
        """The same for the worker, which has a claim and no case."""
        request = {"ticket": ticket, "body": _cut(body, COMMENT_LIMIT), "marker": _marker(claim, name, round)}
        await self.effects.once(claim, f"ticket_comment:{name}", round, request, self._comment, self._find_comment)

    async def move_ticket(self, state: Case, config: RunnableConfig, status: str) -> bool:
        """Move the ticket; False where its Jira workflow offers no way there, or where it is gone."""
        request = {"ticket": state["ticket_id"], "status": status}
        result = await self._once(state, config, f"ticket_status:{status}", request, self._move, _nothing_there)
        return bool(result["moved"])

    async def hand_back(self, claim: Claim, ticket: str, round: int) -> None:
        """Take the ticket off the bot's name, so that people see that nobody works on it."""
        await self.effects.once(claim, "ticket_unassigned", round, {"ticket": ticket}, self._unassign, _nothing_there)

    async def link_ticket(self, state: Case, config: RunnableConfig, url: str, title: str) -> None:
        """Link the pull request from the ticket, if that still exists."""
        request = {"ticket": state["ticket_id"], "url": url, "title": title}
        await self._once(state, config, "ticket_link", request, self._link, _nothing_there)

    async def commit(
        self,
        state: Case,
        config: RunnableConfig,
        name: str,
        branch: str,
        parent: str,
        edits: tuple[FileEdit, ...],
        message: str,
    ) -> str:
        """Commit edits on top of ``parent``; returns the new head of ``branch``."""
        request = {
            "repository": state["scope"]["repository"],
            "branch": branch,
            "parent": parent,
            "edits": [edit.model_dump() for edit in edits],
            "message": message,
        }
        result = await self._once(state, config, f"commit:{name}", request, self._commit, _nothing_there)
        return str(result["sha"])

    async def open_pull_request(
        self, state: Case, config: RunnableConfig, name: str, branch: str, base: str, title: str, body: str
    ) -> Json:
        """Open a pull request; returns its ``number``, ``url`` and ``head``."""
        text = _cut(body, PULL_REQUEST_LIMIT)
        request = {
            "repository": state["scope"]["repository"], "branch": branch, "base": base, "title": title, "body": text
        }  # fmt: skip
        return await self._once(state, config, f"pull_request:{name}", request, self._open, self._find_pull_request)

    async def update_pull_request(
        self, state: Case, config: RunnableConfig, number: int, title: str, body: str
    ) -> None:
        """Rewrite the pull request's title and text after a new commit."""
        request = {"repository": state["scope"]["repository"], "number": number, "title": title, "body": body}
        await self._once(state, config, "pull_request:update", request, self._update, _nothing_there)

    async def close_pull_request(self, state: Case, config: RunnableConfig, number: int) -> None:
        """Close a pull request that will not be merged."""
        request = {"repository": state["scope"]["repository"], "number": number, "state": "closed"}
        await self._once(state, config, "pull_request:close", request, self._update, _nothing_there)

    async def comment_pull_request(
        self, state: Case, config: RunnableConfig, number: int, name: str, body: str
    ) -> None:
        """Comment on the pull request."""
        claim = await self.claim_of(config)
        marker = _marker(claim, name, state.get("round", 0))
        request = {"repository": state["scope"]["repository"], "number": number, "body": body, "marker": marker}
        await self._once(state, config, f"pull_request_comment:{name}", request, self._discuss, self._find_discussion)

    async def merge(self, state: Case, config: RunnableConfig, number: int, head: str, title: str) -> str:
        """Merge exactly the approved head; the merge commit. Raises ``GitHubAPIError`` CONFLICT when it moved."""
        request = {"repository": state["scope"]["repository"], "number": number, "head": head, "title": title}
        result = await self._once(state, config, "merge", request, self._merge, self._find_merge)
        return str(result["sha"])

    async def sync(self, state: Case, config: RunnableConfig, name: str, revision: str) -> None:
        """Ask Argo CD to deploy exactly this revision."""
        request = {"application": state["scope"]["application"], "revision": revision}
        await self._once(state, config, f"sync:{name}", request, self._sync, self._find_sync)

    async def _once(self, state: Case, config: RunnableConfig, name: str, request: Json, act: Act, look: Look) -> Json:
        return await self.effects.once(await self.claim_of(config), name, state.get("round", 0), request, act, look)

    async def _comment(self, request: Json) -> Json:
        try:
            return {"id": await self.jira.add_comment(request["ticket"], request["body"], request["marker"])}
        except JiraError as error:
            return _gone(error)

    async def _find_comment(self, request: Json) -> Json | None:
        try:
            found = await self.jira.find_comment(request["ticket"], request["marker"])
        except JiraError as error:
            return _gone(error)
        return {"id": found} if found else None

    async def _move(self, request: Json) -> Json:
        try:
            await self.jira.move(request["ticket"], request["status"])
        except JiraError as error:
            if error.reason in _PASSING:
                raise
            return {"moved": False, "why": str(error)}
        return {"moved": True}

    async def _unassign(self, request: Json) -> Json:
        """Nobody is put out of a ticket but ourselves, and we not under a key that is no longer the ticket's."""
        try:
            ticket = await self.jira.ticket(request["ticket"])
            if ticket.key != request["ticket"]:
                return {"unassigned": False, "why": f"it is {ticket.key}"}
            holder = ticket.assignee
            if holder != await self.jira.account():
                return {"unassigned": False, "why": f"it is assigned to {holder or 'nobody'}"}
            await self.jira.assign(request["ticket"], "")
        except JiraError as error:
            if error.reason in _PASSING:
                raise
            return {"unassigned": False, "why": str(error)}
        return {"unassigned": True}

    async def _link(self, request: Json) -> Json:
        try:
            await self.jira.link(request["ticket"], request["url"], request["url"], request["title"])
        except JiraError as error:
            return _gone(error)
        return {}

    async def _commit(self, request: Json) -> Json:
        edits = tuple(FileEdit.model_validate(edit) for edit in request["edits"])
        sha = await self.github.commit(
            request["repository"], request["branch"], request["parent"], edits, request["message"]
        )
        return {"sha": sha}

    async def _open(self, request: Json) -> Json:
        opened = await self.github.create_pull_request(
            request["repository"],
            branch=request["branch"],
            base=request["base"],
            title=request["title"],
            body=request["body"],
        )
        return {"number": opened.number, "url": opened.url, "head": opened.head}

    async def _find_pull_request(self, request: Json) -> Json | None:
        found = await self.github.find_pull_request(request["repository"], request["branch"])
        return {"number": found.number, "url": found.url, "head": found.head} if found else None

    async def _update(self, request: Json) -> Json:
        await self.github.update_pull_request(
            request["repository"],
            request["number"],
            title=request.get("title"),
            body=request.get("body"),
            state=request.get("state"),
        )
        return {}

    async def _discuss(self, request: Json) -> Json:
        comment = await self.github.comment(
            request["repository"], request["number"], request["body"], request["marker"]
        )
        return {"id": comment}

    async def _find_discussion(self, request: Json) -> Json | None:
        found = await self.github.find_comment(request["repository"], request["number"], request["marker"])
        return {"id": found} if found else None

    async def _merge(self, request: Json) -> Json:
        if merged := await self._find_merge(request):
            return merged
        sha = await self.github.merge(request["repository"], request["number"], request["head"], request["title"])
        return {"sha": sha}

    async def _find_merge(self, request: Json) -> Json | None:
        """The merge of exactly that head; a merge of another one is not ours."""
        found = await self.github.pull_request(request["repository"], request["number"])
        return {"sha": found.merge_sha} if found.merged and found.head == request["head"] else None

    async def _sync(self, request: Json) -> Json:
        """An application that syncs by itself refuses to be synced to a fixed revision, and needs no telling."""
        if (await self._deployer.application(request["application"], refresh=True)).auto_sync:
            return {"synced_by": "auto-sync"}
        await self._deployer.sync(request["application"], request["revision"])
        return {}

    async def _find_sync(self, request: Json) -> Json | None:
        application = await self._deployer.application(request["application"])
        known = application.operation_revision == request["revision"] and application.operation_phase != ""
        return {} if known else None

    @property
    def _deployer(self) -> ArgoCD:
        if self.argocd is None:
            raise ServiceError("Argo CD is not configured (ARGOCD_URL)", reason=Reason.REFUSED)
        return self.argocd


_PASSING = (Reason.UNAVAILABLE, Reason.RATE_LIMITED, Reason.BAD_ANSWER)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"


def _marker(claim: Claim, name: str, round: int) -> str:
    return f"sre-bot:{claim.workflow_id}:{name}:{round}"


def _gone(error: JiraError) -> Json:
    if error.reason is not Reason.NOT_FOUND:
        raise error
    return {"gone": True}
