"""``cancel``, ``retry``, ``pause``, ``resume``, ``recover``: what people tell the bot while it works."""

import asyncio
import os
import pwd
import socket
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import typer

from sre_bot.app import Record, compose, open_record
from sre_bot.cli.looking import Workflow, find
from sre_bot.cli.output import AsJson, emit, out, plain, where
from sre_bot.domain.errors import BadInput
from sre_bot.domain.states import DetailedState
from sre_bot.persistence.record import Locked
from sre_bot.settings import Settings, load
from sre_bot.worker.runner import Result

T = TypeVar("T")

Repository = Annotated[str, typer.Option("--repository", help="Only this one, `owner/name`; everything without.")]
Json = dict[str, Any]


def cancel(
    workflow: Workflow,
    why: Annotated[str, typer.Option("--why", help="The reason; the ticket is told.")],
    as_json: AsJson = False,
) -> None:
    """End a workflow as cancelled: its ticket is told why and handed back, what it holds is freed.

    A worker does it: at once where the workflow waits, between two steps where it runs. Exits 1 when it has ended.
    """
    if not why.strip():
        raise BadInput("say why: the reason is written on the ticket")
    _answer(asyncio.run(_asking(lambda record, _: _cancelled(record, workflow, why.strip()))), as_json=as_json)


def retry(workflow: Workflow, as_json: AsJson = False) -> None:
    """Make a workflow due now: one that waits for its next try, or for something outside.

    Exits 1 when it has ended: assigning its ticket to the bot again starts a new one.
    """
    _answer(asyncio.run(_asking(lambda record, _: _retried(record, workflow))), as_json=as_json)


def pause(
    repository: Repository = "",
    why: Annotated[str, typer.Option("--why", help="The reason, for whoever looks at the status.")] = "",
    as_json: AsJson = False,
) -> None:
    """Stop the bot: no workflow is claimed and nothing outside is begun, at all or for one repository.

    What is being done at this moment is finished. `sre-bot status` shows what is paused.
    """
    _answer(asyncio.run(_asking(lambda record, settings: _paused(record, settings, repository, why))), as_json=as_json)


def resume(repository: Repository = "", as_json: AsJson = False) -> None:
    """Take a pause back: that of everything, or that of one repository."""
    _answer(asyncio.run(_asking(lambda record, _: _resumed(record, repository))), as_json=as_json)


def recover(as_json: AsJson = False) -> int:
    """Take up everything that is due, what a crash left behind included; come back when nothing is due any more.

    Exits 1 when a person has to look at one of them: it is under quarantine, or its ticket cannot be told.
    """
    results = asyncio.run(_recovered())
    code = 1 if any(result in (Result.QUARANTINED, Result.UNTOLD) for _, result in results) else 0
    if as_json:
        emit([{**state.to_dict(), "result": result} for state, result in results])
        return code
    for state, result in results:
        out.print(f"{state.ticket_id}  {state.workflow_id}  {result}  ", where(state))
    out.print(f"{len(results)} taken up; nothing more is due.")
    return code


def _answer(found: tuple[str, Json], *, as_json: bool) -> None:
    sentence, facts = found
    if as_json:
        emit(plain(facts))
    else:
        out.print(sentence, markup=False, soft_wrap=True)


async def _asking(ask: Callable[[Record, Settings], Awaitable[T]]) -> T:
    settings = load()
    async with open_record(settings) as record:
        return await ask(record, settings)


async def _cancelled(record: Record, workflow: str, why: str) -> tuple[str, Json]:
    state = await find(record, workflow)
    stood = await record.requests.cancel(state.workflow_id, why, asked_by())
    who = f"{stood.owner} ends it after its current step" if stood.alive else _next_worker("ends it")
    return f"{state.ticket_id} {state.workflow_id} is to be cancelled; {who}.", _facts(stood)


async def _retried(record: Record, workflow: str) -> tuple[str, Json]:
    state = await find(record, workflow)
    stood = await record.requests.retry(state.workflow_id, asked_by())
    if stood.alive:
        then = f"{stood.owner} runs it, and once more when it is done"
    elif stood.standing.position.detailed is DetailedState.ESCALATION:
        then = _next_worker("tells its ticket again")
    else:
        then = _next_worker("takes it up")
    return f"{state.ticket_id} {state.workflow_id} is due now; {then}.", _facts(stood)


async def _paused(record: Record, settings: Settings, repository: str, why: str) -> tuple[str, Json]:
    known = {*settings.github_repositories, *await record.requests.repositories()}
    name = _known(repository, known) if repository else None
    await record.requests.pause(name, why, asked_by())
    return f"Paused: {name or 'everything'}. `sre-bot resume` takes it back.", await _pauses(record)


async def _resumed(record: Record, repository: str) -> tuple[str, Json]:
    facts = await _pauses(record)
    paused = [row["repository"] for row in facts["paused"] if row["repository"]]
    name = next((known for known in paused if known.lower() == repository.lower()), None)
    if (repository and name is None) or not await record.requests.resume(name, asked_by()):
        raise BadInput(f"{repository or 'the bot as a whole'} is not paused{_of_which(facts)}")
    facts = await _pauses(record)
    return f"{name or 'The bot'} goes on{_of_which(facts)}.", facts


async def _recovered() -> list[tuple[Any, str]]:
    async with compose(load()) as app:
        results = await app.recovery().recover_active_workflows()
        return [(await app.record.workflows.get(workflow_id), result.value) for workflow_id, result in results.items()]


async def _pauses(record: Record) -> Json:
    return {"paused": await record.requests.pauses()}


def _of_which(facts: Json) -> str:
    left = ", ".join(row["repository"] or "everything" for row in facts["paused"])
    return f"; still paused: {left}" if left else ""


def _known(repository: str, known: set[str]) -> str:
    """The repository as we spell it: a pause under a wrong name would stop nothing. Raises ``BadInput``."""
    for name in known:
        if name.lower() == repository.lower():
            return name
    raise BadInput(f"{repository!r} is none of {', '.join(sorted(known)) or 'no repositories'}")


def _next_worker(does: str) -> str:
    return f"the next worker {does} (`sre-bot serve`, or `sre-bot recover` now)"


def _facts(stood: Locked) -> Json:
    return {"workflow_id": stood.workflow_id, "position": str(stood.standing.position), "running": stood.alive}


def asked_by() -> str:
    """Who asks, as far as the operating system knows: the account and the machine."""
    try:
        account = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        account = str(os.getuid())
    return f"{account}@{socket.gethostname()}"
