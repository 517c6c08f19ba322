"""``backup create``, ``list``, ``verify``, ``restore``: the record comes back as it was, and the past is fenced off."""

import sys
from pathlib import Path
from typing import Any

import pytest

from sre_bot.domain.errors import BackupFailed, StaleWriter
from sre_bot.persistence import dumps
from sre_bot.persistence.database import Database
from sre_bot.persistence.effects import Effects
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.workflows import Claim, Workflows
from tests.law_graph import LawGraph, case
from tests.record_commands_stage import Commands
from tests.record_runs import TTL, claimed, rows, under

Json = dict[str, Any]


@pytest.fixture
def sre_bot(database_url: str, tmp_path: Path) -> Commands:
    return Commands(database_url, tmp_path)


@pytest.fixture
def elsewhere(empty_database_url: str, tmp_path: Path) -> Commands:
    """The same command line, in front of an empty database."""
    return Commands(empty_database_url, tmp_path)


@pytest.fixture
async def waiting(workflows: Workflows, saver: AuditedSaver, law_graph: LawGraph) -> Claim:
    """The claim under which a workflow was brought to its review."""
    claim = await claimed(workflows)
    await law_graph.compile(saver).ainvoke(case(), under(claim))
    return claim


async def test_a_restored_record_is_the_record_that_was_backed_up(
    sre_bot: Commands, elsewhere: Commands, waiting: Claim, workflows: Workflows
) -> None:
    made = await sre_bot("backup", "create", "--json")
    assert made.code == 0, made.err
    await workflows.open("OPS-2", {})
    before = (await sre_bot("replay", "OPS-1", "--json")).json

    restored = await elsewhere("backup", "restore")

    assert restored.code == 0, restored.err
    assert restored.out.startswith("The record is sound.\n")
    verified = (await elsewhere("verify", "--json")).json
    assert (verified["sound"], verified["workflows"]) == (True, 1)
    assert (await elsewhere("replay", "OPS-1", "--json")).json == before
    assert list(made.json["heads"]) == [waiting.workflow_id]


async def test_after_a_restoration_no_claim_of_before_can_write_and_nothing_is_begun_until_people_say_so(
    sre_bot: Commands, elsewhere: Commands, waiting: Claim, workflows: Workflows
) -> None:
    unclaimed = await workflows.open("OPS-2", {})
    await sre_bot("backup", "create")
    later = [waiting, await workflows.claim(unclaimed.workflow_id, "old", TTL)]
    assert (await elsewhere("backup", "restore")).code == 0

    async with Database.open(elsewhere.database_url) as database:
        restored = Workflows(database)
        assert await restored.claim_due("new", TTL, 10) == ()
        assert "restored from" in (await elsewhere("status")).err
        await elsewhere("resume")
        for workflow_id in (waiting.workflow_id, unclaimed.workflow_id):
            await restored.claim(workflow_id, "new", TTL)
        for claim in later:
            with pytest.raises(StaleWriter):
                await Effects(database).once(claim, "merge", 0, {}, _never, None)


async def test_what_was_done_since_the_backup_is_looked_up_and_not_done_again(
    sre_bot: Commands, elsewhere: Commands, waiting: Claim, database: Database
) -> None:
    made: list[Json] = []

    async def act(request: Json) -> Json:
        made.append(request)
        return {"number": len(made)}

    async def look(request: Json) -> Json | None:
        return {"number": 1} if made else None

    await sre_bot("backup", "create")
    await Effects(database).once(waiting, "pull_request:fix", 0, {}, act, look)
    await elsewhere("backup", "restore")
    await elsewhere("resume")

    async with Database.open(elsewhere.database_url) as restored:
        claim = await Workflows(restored).claim(waiting.workflow_id, "new", TTL)
        assert await Effects(restored).once(claim, "pull_request:fix", 0, {}, act, look) == {"number": 1}
        fresh = await claimed(Workflows(restored), "OPS-3")
        assert await Effects(restored).once(fresh, "comment", 0, {}, act, None) == {"number": 2}
    assert len(made) == 2


async def test_a_damaged_backup_is_named_and_not_restored(
    sre_bot: Commands, elsewhere: Commands, waiting: Claim, tmp_path: Path
) -> None:
    name = (await sre_bot("backup", "create", "--json")).json["name"]
    assert (await sre_bot("backup", "verify")).out == f"{name} is sound.\n"
    [dump] = (tmp_path / "backups").glob("*.dump")
    content = bytearray(dump.read_bytes())
    content[len(content) // 2] ^= 1
    dump.write_bytes(content)

    verified, restored = await sre_bot("backup", "verify", name), await elsewhere("backup", "restore", name)

    assert (verified.code, restored.code) == (1, 1)
    assert "is not the file that was written" in verified.out
    assert "is not the file that was written" in restored.err
    dump.unlink()
    assert (await sre_bot("backup", "verify", name)).out == f"{dump.name} is missing\n"


async def test_of_a_dump_that_breaks_off_nothing_is_loaded(
    sre_bot: Commands, waiting: Claim, empty_database_url: str, tmp_path: Path
) -> None:
    await sre_bot("backup", "create")
    [dump] = (tmp_path / "backups").glob("*.dump")
    dump.write_bytes(dump.read_bytes()[:-500])

    with pytest.raises(BackupFailed, match="pg_restore failed"):
        await dumps.load(empty_database_url, dump)

    async with Database.open(empty_database_url) as database:
        assert await rows(database, b"select 1 from pg_class where relname = 'workflow_states'") == []


async def test_a_backup_is_restored_only_into_an_empty_database(sre_bot: Commands, waiting: Claim) -> None:
    await sre_bot("backup", "create")

    restored = await sre_bot("backup", "restore")

    assert restored.code == 1
    assert "the database is not empty" in restored.err
    assert (await sre_bot("verify")).code == 0


AWAY = f"{sys.executable} -c 'import sys; sys.stdout.buffer.write(bytes(b ^ 90 for b in sys.stdin.buffer.read()))'"
"""Encrypts and decrypts, no better than a toy."""


async def test_an_encrypted_backup_is_restored_by_whoever_can_decrypt_it(
    sre_bot: Commands, elsewhere: Commands, waiting: Claim, tmp_path: Path
) -> None:
    made = await sre_bot("backup", "create", "--encrypt-command", AWAY, "--json")
    assert made.code == 0 and made.json["encrypted"], made.err
    [dump] = (tmp_path / "backups").glob("*.dump")
    assert dump.read_bytes()[:5] == bytes(byte ^ 90 for byte in b"PGDMP")
    assert "with --decrypt-command it can be read" in (await sre_bot("backup", "verify")).out
    assert (await sre_bot("backup", "verify", "--decrypt-command", AWAY)).out.endswith(" is sound.\n")

    without = await elsewhere("backup", "restore")
    wrong = await elsewhere("backup", "restore", "--decrypt-command", "cat")
    restored = await elsewhere("backup", "restore", "--decrypt-command", AWAY)

    assert without.code == 2 and "is encrypted; name the command" in without.err
    assert wrong.code == 1 and "pg_restore failed" in wrong.err
    assert restored.code == 0, restored.err
    assert (await elsewhere("verify", "OPS-1")).code == 0


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("false", 1, "false failed"),
        ("/no/such/program", 1, "'/no/such/program' cannot be started"),
        ("age 'unclosed", 2, "is no command: No closing quotation"),
        ("cat ; touch escaped", 1, "cat failed"),
    ],
)
async def test_a_backup_whose_encryption_fails_is_not_kept(
    command: str, code: int, said: str, sre_bot: Commands, waiting: Claim, tmp_path: Path
) -> None:
    made = await sre_bot("backup", "create", "--encrypt-command", command)

    assert (made.code, said in made.err) == (code, True), made.err
    assert list((tmp_path / "backups").glob("*")) == [] and not Path("escaped").exists()


async def test_backups_are_listed_newest_first_and_shown_to_nobody_else(
    sre_bot: Commands, waiting: Claim, tmp_path: Path
) -> None:
    assert (await sre_bot("backup", "list")).out == "There is no backup.\n"
    names = [(await sre_bot("backup", "create", "--json")).json["name"] for _ in range(2)]

    listed = (await sre_bot("backup", "list", "--json")).json

    assert [one["name"] for one in listed] == names[::-1]
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "backups").glob("*.dump")} == {0}
    absent = await sre_bot("backup", "verify", "yesterday")
    assert absent.code == 2 and "holds no backup named 'yesterday'" in absent.err


async def test_a_restoration_is_itself_on_record(sre_bot: Commands, elsewhere: Commands, waiting: Claim) -> None:
    made = (await sre_bot("backup", "create", "--json")).json
    await elsewhere("backup", "restore")

    async with Database.open(elsewhere.database_url) as database:
        [row] = await rows(database, b"select backup, taken_at, restored_at from restorations")
    assert row["backup"] == made["name"]
    assert row["taken_at"].isoformat() == made["taken_at"]
    assert row["restored_at"] > row["taken_at"]


async def _never(request: Json) -> Json:
    raise AssertionError("a worker of before must not act")
