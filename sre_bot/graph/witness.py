"""What Jira and GitHub say today about effects that the record holds. It reads, and writes nothing."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from sre_bot.domain.errors import Reason, ServiceError
from sre_bot.graph.state import Json
from sre_bot.tools.argocd import ArgoCD
from sre_bot.tools.github import GitHub
from sre_bot.tools.jira import Jira

Effect = dict[str, Any]
Found = tuple[Json | None, str]
"""What is there, as the effect's result would say it (None: nothing), and the same in words."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """An effect beside the world. ``agrees`` is None where the record itself says that it does not know."""

    name: str
    round: int
    recorded: str
    seen: str
    agrees: bool | None


@dataclass(slots=True)
class Witness:
    """Whoever is configured. A service that does not answer is asked nothing more, and named in ``silent``."""

    jira: Jira | None
    github: GitHub | None
    argocd: ArgoCD | None
    silent: dict[str, str] = field(default_factory=dict[str, str])

    async def look(self, effect: Effect) -> Sighting | None:
        """One effect; None where it cannot be looked up: it changed what others may change too, or nobody answers."""
        kind = effect["name"].partition(":")[0]
        look = self._looks().get(kind)
        changed_only = kind == "pull_request" and "branch" not in effect["request"]
        if look is None or changed_only or (effect["result"] or {}).get("gone"):
            return None
        answer = await self.ask(lambda: look(effect))
        return None if answer is None else _sighting(effect, *answer)

    async def ask(self, question: Callable[[], Awaitable[Any]]) -> Any:
        """The answer to a question, None from a service that does not answer."""
        try:
            return await question()
        except ServiceError as error:
            self.silent.setdefault(error.service, str(error))
            return None

    def _looks(self) -> dict[str, Callable[[Effect], Awaitable[Found]]]:
        jira = {"ticket_comment": self._comment} if self.jira and "Jira" not in self.silent else {}
        if self.github is None or "GitHub" in self.silent:
            return {**jira}
        return {
            **jira,
            "commit": self._commit,
            "pull_request": self._pull_request,
            "pull_request_comment": self._discussion,
            "merge": self._merge,
        }

    async def _comment(self, effect: Effect) -> Found:
        assert self.jira is not None
        request = effect["request"]
        found = await _or_none(self.jira.find_comment(request["ticket"], request["marker"]))
        return _named(found, {"id": found}, f"{request['ticket']} has our comment {found}",
                      f"{request['ticket']} has no comment of ours with this mark")  # fmt: skip

    async def _discussion(self, effect: Effect) -> Found:
        assert self.github is not None
        request = effect["request"]
        number = request["number"]
        found = await _or_none(self.github.find_comment(request["repository"], number, request["marker"]))
        return _named(found, {"id": found}, f"pull request #{number} has our comment {found}",
                      f"pull request #{number} has no comment of ours with this mark")  # fmt: skip

    async def _commit(self, effect: Effect) -> Found:
        """A commit whose result nobody knows cannot be looked up by its name."""
        assert self.github is not None
        repository, sha = effect["request"]["repository"], (effect["result"] or {}).get("sha")
        if sha is None:
            return None, "nobody knows its name"
        there = await _or_none(self.github.contains(repository, sha, sha))
        return _named(there, {"sha": sha}, f"{repository} has {sha}", f"{repository} has no commit {sha}")

    async def _pull_request(self, effect: Effect) -> Found:
        assert self.github is not None
        request = effect["request"]
        found = await _or_none(self.github.find_pull_request(request["repository"], request["branch"]))
        return _named(found, {"number": found.number} if found else {},
                      f"pull request #{found.number} comes from {request['branch']}" if found else "",
                      f"no pull request comes from {request['branch']}")  # fmt: skip

    async def _merge(self, effect: Effect) -> Found:
        assert self.github is not None
        request = effect["request"]
        found = await _or_none(self.github.pull_request(request["repository"], request["number"]))
        merged = found if found and found.merged else None
        return _named(merged, {"sha": merged.merge_sha} if merged else {},
                      f"pull request #{request['number']} is merged as {merged.merge_sha}" if merged else "",
                      f"pull request #{request['number']} is {'not merged' if found else 'missing'}")  # fmt: skip


def _named(found: object, result: Json, there: str, missing: str) -> Found:
    return (result, there) if found else (None, missing)


def _sighting(effect: Effect, found: Json | None, said: str) -> Sighting:
    status, result = effect["status"], effect["result"] or {}
    recorded = f"done: {', '.join(f'{name} {value}' for name, value in result.items())}" if result else status
    if status in ("started", "unknown"):
        agrees = None
    elif status == "intended":
        agrees = found is None
    else:
        agrees = found is not None and all(str(result.get(name)) == str(value) for name, value in found.items())
    return Sighting(effect["name"], effect["round"], recorded, said, agrees)


async def _or_none(asking: Awaitable[Any]) -> Any:
    try:
        return await asking
    except ServiceError as error:
        if error.reason is not Reason.NOT_FOUND:
            raise
        return None
