"""What people get wrong at the command line: one sentence that says what to do, the right exit code, no traceback."""

import asyncio
import signal
from pathlib import Path

from sre_bot.lab.client import LabProcess
from tests.acceptance_stage import Finished, environment, running, sre_bot
from tests.bad_input_stage import INCIDENT
from tests.many_commands import Command, each

NOBODY = "postgresql://bot:hidden@127.0.0.1:1/bot"
"""A database where nobody listens."""


def check(finished: Finished, code: int, sentence: str) -> None:
    """The command failed with this code, and said this and no more."""
    assert "Traceback" not in finished.err + finished.out
    assert finished.err.count("\n") == 1, finished.err
    assert finished.err.startswith("error: ")
    assert sentence in finished.err
    assert "hidden" not in finished.err, "a password is nobody's business"
    assert finished.code == code


REFUSED = {
    "nonsense": "No such command 'nonsense'",
    "show": "Missing argument",
    "run --nonsense": "No such option",
    "run SHOP-1": "not set: JIRA_URL, JIRA_TOKEN, JIRA_PROJECTS, NAMESPACES. Set them in the environment or in .env",
    "show nonsense": "no workflow or ticket begins with 'nonsense'; `sre-bot status --all` lists them",
    "timeline nonsense": "no workflow or ticket begins with 'nonsense'",
    "lab review 1": "say exactly one of --approve",
    "lab review 1 --approve": "no lab is running in .sre-bot/lab; start one with `sre-bot lab up INCIDENT`",
    "lab requests": "no lab is running",
    "lab up nowhere": "'nowhere' does not exist",
    "lab up empty": "empty is no incident folder: it has no incident.yaml",
    "lab up broken": "broken/incident.yaml: line 2: ",
    "eval nowhere": "'nowhere' does not exist",
    "eval file": "'file' is a file",
    "eval empty": "no incident folder in empty; one has an incident.yaml",
    "demo --incident shapeless": "shapeless/incident.yaml: now: Field required",
}
"""What is typed, and what is said about it."""

UNUSABLE = {
    "FIX_THRESHOLD=abc": (2, "FIX_THRESHOLD: Input should be a valid number"),
    "POLL_SECONDS=0": (2, "POLL_SECONDS: Input should be greater than 0"),
    "DATABASE_URL=bot:hidden@db": (2, "DATABASE_URL: not a Postgres URL; one looks like postgresql://user:password@"),
    f"DATABASE_URL={NOBODY}": (1, 'connection to server at "127.0.0.1", port 1 failed'),
}
"""Settings, and the exit code and sentence that they earn."""


async def test_a_command_that_cannot_be_followed_is_refused_in_one_sentence(database_url: str, tmp_path: Path) -> None:
    for name, text in {"broken": "id: [unclosed\n", "shapeless": "id: x\n"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "incident.yaml").write_text(text)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    env = environment({}, database_url, tmp_path)
    commands = [Command(tuple(typed.split()), str(tmp_path), env) for typed in REFUSED]
    for finished, sentence in zip(await each(commands), REFUSED.values(), strict=True):
        check(finished, 2, sentence)


async def test_a_setting_that_cannot_be_used_is_named(database_url: str, tmp_path: Path) -> None:
    env = environment({}, database_url, tmp_path)
    given = [env | {name: value} for name, _, value in (setting.partition("=") for setting in UNUSABLE)]
    commands = [Command(("status",), str(tmp_path), one) for one in given]
    for finished, (code, sentence) in zip(await each(commands), UNUSABLE.values(), strict=True):
        check(finished, code, sentence)


async def test_a_broken_recording_is_reported_beside_the_scores(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "incident.yaml").write_text("just text\n")
    finished = await sre_bot(environment({}, database_url, tmp_path), "eval", str(tmp_path))
    assert finished.code == 1
    assert "error: broken: " in finished.err
    assert "Traceback" not in finished.err


async def test_a_run_that_does_not_resolve_its_ticket_says_why(database_url: str, tmp_path: Path) -> None:
    async with await LabProcess.start(INCIDENT, speed=60) as lab:
        env = environment(lab.environment, database_url, tmp_path)
        key, foreign, unknown, lost, barred, pull = await asyncio.gather(
            sre_bot(env, "run", "nonsense"),
            sre_bot(env, "run", await lab.control.create_ticket(key="BANK-1")),
            sre_bot(env, "run", "SHOP-999"),
            sre_bot(env | {"KUBECONFIG": "/nowhere"}, "run", await lab.control.create_ticket(key="SHOP-1")),
            sre_bot(env | {"JIRA_TOKEN": "wrong"}, "run", lab.ticket),
            sre_bot(env, "lab", "review", "7", "--approve", "--data", str(lab.address.data)),
        )
        told = {one["key"]: one["comments"] for one in (await lab.control.state())["tickets"]}
    check(key, 2, "'nonsense' is no ticket's key; one looks like INFRA-456")
    check(foreign, 2, "BANK-1 is of project BANK, which is not mine: JIRA_PROJECTS names SHOP")
    check(pull, 2, "has no pull request 7")
    for finished, state, why in (
        (unknown, "ticket_rejected", "it does not exist, or I may not see it"),
        (lost, "escalated", "Kubernetes cannot be reached through /nowhere"),
        (barred, "escalation", "(HTTP 401); check the account's token and its permissions, with `sre-bot doctor`"),
    ):
        assert finished.code == 1
        assert finished.out.startswith(f"{state} sre-bot show ")
        assert why in finished.out.splitlines()[1]
        assert "Traceback" not in finished.err + finished.out
    assert "Kubernetes cannot be reached through /nowhere" in lost.err, "the error is shown as it happens"
    assert "Kubernetes cannot be reached through /nowhere" in told["SHOP-1"][-1]
    assert told[lab.ticket] == []


async def test_a_service_whose_systems_are_all_away_complains_in_sentences_and_stops_when_told(
    database_url: str, tmp_path: Path
) -> None:
    away = dict.fromkeys(("JIRA_URL", "GITHUB_URL", "ARGOCD_URL"), "http://127.0.0.1:1")
    given = {**away, "JIRA_TOKEN": "x", "JIRA_CLOUD": "false", "JIRA_PROJECTS": "SHOP", "NAMESPACES": "shop"}
    async with running(environment(given, database_url, tmp_path), "serve") as serve:
        assert serve.stderr is not None
        lines = [await asyncio.wait_for(serve.stderr.readline(), 60) for _ in range(3)]
        serve.send_signal(signal.SIGTERM)
        _, rest = await asyncio.wait_for(serve.communicate(), 30)
    said = b"".join(lines) + rest
    assert serve.returncode == 0
    assert b"tickets: Jira: asking who we are: cannot be reached" in said or b"tickets: Jira: searching" in said
    assert b"Traceback" not in said
