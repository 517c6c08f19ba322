"""One scheme for all commands of the record: 0 well, 1 something is wrong, 2 not usable as given, 3 somebody has it."""

import asyncio
from pathlib import Path

import pytest

from sre_bot.cli.commands import TABLE
from sre_bot.cli.exit_codes import BUSY, FAILED, REFUSED, code_of
from sre_bot.domain.errors import (
    ArtifactNotFound,
    BadSetting,
    LeaseHeld,
    Paused,
    RewindRefused,
    StaleVersion,
    WorkflowEnded,
    WorkflowExists,
    WorkflowNotFound,
)
from sre_bot.persistence.database import Database
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Workflows
from tests.law_graph import ACCEPTANCE, ANALYSIS, REMEDIATION, LawGraph, case
from tests.record_commands_stage import Commands
from tests.record_runs import claimed, under

OF_THE_RECORD = (
    *("recover", "verify", "replay", "rewind", "backup", "backup drift", "locks", "effects", "retry", "cancel"),
    *("pause", "resume", "audit"),
)


@pytest.fixture
def sre_bot(database_url: str, tmp_path: Path) -> Commands:
    return Commands(database_url, tmp_path)


async def codes(sre_bot: Commands, *commands: str) -> dict[str, int]:
    found = await asyncio.gather(*(sre_bot(*command.split()) for command in commands))
    return dict(zip(commands, [one.code for one in found], strict=True))


async def test_on_a_record_that_is_well_everything_is_0(sre_bot: Commands, workflows: Workflows) -> None:
    await workflows.open("OPS-1", {})
    looks = (
        *("verify", "replay OPS-1", "rewind OPS-1 --list", "locks", "effects OPS-1", "audit"),
        *("backup list", "backup drift"),
    )

    assert await codes(sre_bot, *looks) == dict.fromkeys(looks, 0)
    for asked in ("retry OPS-1", "pause", "resume", "cancel OPS-1 --why drill", "backup create", "backup verify"):
        assert await codes(sre_bot, asked) == {asked: 0}


async def test_what_is_not_there_or_cannot_be_meant_is_2(sre_bot: Commands, workflows: Workflows) -> None:
    await workflows.open("OPS-1", {})
    unknown = (
        *("verify NO-1", "replay NO-1", "rewind NO-1 --list", "effects NO-1", "retry NO-1", "cancel NO-1 --why x"),
        *("resume", "rewind OPS-1", "rewind OPS-1 --to nowhere", "backup verify yesterday", "audit --since never"),
        *("locks --nonsense", "recover --nonsense", "pause --repository no/such", "replay OPS-1 --version 0"),
    )

    assert await codes(sre_bot, *unknown) == dict.fromkeys(unknown, 2)


async def test_what_is_wrong_or_cannot_be_done_any_more_is_1(
    sre_bot: Commands, database: Database, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)
    await law_graph.compile(saver).ainvoke(case(plan=ACCEPTANCE + ANALYSIS, ending="needs_human"), under(claim))
    over = ("retry OPS-1", "cancel OPS-1 --why late", "rewind OPS-1 --to analysis:analysis_complete")
    assert await codes(sre_bot, *over) == dict.fromkeys(over, 1)

    async with database.transaction() as connection:
        await connection.execute("update workflow_states set priority = 1, retry_count = 2")
    assert await codes(sre_bot, "verify") == {"verify": 1}


async def test_what_somebody_else_has_now_is_3(
    sre_bot: Commands, workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph
) -> None:
    claim = await claimed(workflows)
    plan = (*ACCEPTANCE, *ANALYSIS, *REMEDIATION, "awaiting_review")
    await law_graph.compile(saver).ainvoke(case(plan=plan), under(claim))

    found = await sre_bot("rewind", "OPS-1", "--to", "analysis:analysis_complete")

    assert found.code == 3, found.err
    await workflows.release(claim)
    assert (await sre_bot("rewind", "OPS-1", "--to", "analysis:analysis_complete")).code == 0


async def test_the_help_of_each_command_says_what_its_exit_code_means(sre_bot: Commands) -> None:
    assert {name.split()[0] for name in OF_THE_RECORD} <= set(TABLE)
    helps = await asyncio.gather(*(sre_bot(*name.split(), "--help") for name in ("", *OF_THE_RECORD)))
    for found in helps:
        said = " ".join(found.out.split())
        assert "Exit codes: 0 done, and all is well; 1 something is wrong" in said
        assert "3 somebody else has it now" in said


def test_errors_are_sorted_into_the_codes() -> None:
    assert {code_of(one("x")) for one in (LeaseHeld, Paused, StaleVersion)} == {BUSY}
    assert code_of(WorkflowExists("OPS-1", "id")) == BUSY
    assert {code_of(one("x")) for one in (BadSetting, WorkflowNotFound)} == {REFUSED}
    assert {code_of(one("x")) for one in (WorkflowEnded, RewindRefused, ArtifactNotFound, OSError)} == {FAILED}
