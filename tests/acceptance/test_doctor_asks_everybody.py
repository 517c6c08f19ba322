"""``doctor`` asks every system that is set, and says what is missing."""

import asyncio
from pathlib import Path
from typing import Any

from sre_bot.lab.client import LabProcess
from tests.acceptance_stage import environment, sre_bot
from tests.bad_input_stage import INCIDENT
from tests.record_commands_stage import Commands
from tests.redis_servers import redis_server
from tests.scripted_model import scripted_model


async def checked(env: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """The exit code, and what was found by the name of the check."""
    finished = await sre_bot(env, "doctor", "--json")
    assert "Traceback" not in finished.err
    return finished.code, {check["name"]: check for check in finished.json}


async def test_every_system_that_is_set_is_asked(database_url: str, tmp_path: Path) -> None:
    async with await LabProcess.start(INCIDENT, speed=60) as lab, scripted_model("x") as model:
        env = environment(lab.environment, database_url, tmp_path)
        with_model = env | {"MODEL_URL": model.url, "MODEL_NAME": "scripted"}
        (good, found), (bad, dead), (wrong, other), (empty, unset) = await asyncio.gather(
            checked(with_model),
            checked(env | {"MODEL_URL": "http://127.0.0.1:1/v1", "MODEL_NAME": "m"}),
            checked(with_model | {"MODEL_NAME": "another"}),
            checked(env | {"GITHUB_TOKEN": "", "ARGOCD_APPLICATIONS": "", "MODEL_URL": model.url}),
        )
    assert (good, bad, wrong, empty) == (0, 1, 1, 1)
    assert found["model"]["said"] == f"scripted at {model.url}"
    assert "cannot be reached" in dead["model"]["said"]
    assert other["model"]["said"].startswith("missing: a model 'another'; ")
    assert unset["model"]["said"].startswith("missing: MODEL_NAME; ")
    assert unset["GitHub"]["said"] == f"missing: GITHUB_TOKEN, for {lab.environment['GITHUB_REPOSITORIES']}"
    assert unset["Argo CD"]["said"].startswith("missing: ARGOCD_APPLICATIONS")
    assert lab.environment["ARGOCD_APPLICATIONS"] in unset["Argo CD"]["said"]
    assert not any(unset[name]["ok"] for name in ("model", "GitHub", "Argo CD"))


async def test_a_bot_that_only_diagnoses_is_well(database_url: str, tmp_path: Path) -> None:
    async with await LabProcess.start(INCIDENT, speed=60) as lab:
        env = environment(lab.environment, database_url, tmp_path)
        nothing = dict.fromkeys(("GITHUB_TOKEN", "GITHUB_REPOSITORIES", "ARGOCD_URL", "ARGOCD_APPLICATIONS"), "")
        code, found = await checked(env | nothing)
    assert code == 0
    assert found["GitHub"]["said"] == "GITHUB_TOKEN is empty: nothing will be repaired"
    assert found["Argo CD"]["said"] == "not configured: diagnosing only"


async def test_a_redis_that_is_away_is_a_warning_and_one_that_cannot_be_meant_is_wrong(
    database_url: str, tmp_path: Path
) -> None:
    sre_bot = Commands(database_url, tmp_path)

    async def redis(**settings: str) -> dict[str, Any]:
        checks = (await sre_bot("doctor", "--json", **settings)).json
        return next(check for check in checks if check["name"] == "Redis")

    async with redis_server() as server:
        there = await redis(REDIS_URL=server.url)
    away, nonsense, none = (
        await redis(REDIS_URL="redis://127.0.0.1:1"),
        await redis(REDIS_URL="redis://127.0.0.1:1?decode_responses=true"),
        await redis(),
    )

    assert there == {"name": "Redis", "ok": True, "said": "answers", "remedy": ""}
    assert away["ok"] and "the bot works without it" in away["said"] and away["remedy"].startswith("Check REDIS_URL")
    assert not nonsense["ok"] and "decode_responses cannot be set" in nonsense["said"]
    assert (none["ok"], none["remedy"]) == (True, "")


async def test_what_is_played_in_the_lab_is_told_as_json(database_url: str, tmp_path: Path) -> None:
    async with await LabProcess.start(INCIDENT, speed=60) as lab:
        env, data = environment(lab.environment, database_url, tmp_path), str(lab.address.data)
        left = await sre_bot(env, "run", lab.ticket, "--no-wait", "--json")
        number = str(left.json["context"]["pr_number"])
        reviewed, broken = await asyncio.gather(
            sre_bot(env, "lab", "review", number, "--approve", "--json", "--data", data),
            sre_bot(env, "lab", "fault", "jira", "status", "--times", "2", "--json", "--data", data),
        )
        faults = await lab.control.faults()
    assert (reviewed.json["pull_request"], reviewed.json["action"]) == (int(number), "approve")
    assert (broken.json["service"], broken.json["kind"], broken.json["times"]) == ("jira", "status", 2)
    assert len(faults) == 1
