"""``sre-bot record``: what is recorded of a live cluster tells the same story, and no secret."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sre_bot.lab.client import LabProcess
from sre_bot.lab.recording import Recording
from tests.acceptance_stage import INCIDENTS, Finished, newcomer
from tests.incident_folder import IncidentFolder
from tests.many_commands import Command, each
from tests.small_incidents import wrong_port

TOLD = ("kind", "object", "field", "observed", "expected", "confidence", "explains")


async def run(home: Path, *arguments: str) -> Finished:
    (finished,) = await each([Command(arguments, str(home), newcomer(home))])
    return finished


def told(report: dict[str, Any]) -> list[Any]:
    """What a report claims, but for what depends on where it was read."""
    causes = [
        (*(cause[part] for part in TOLD), [one["subject"] for one in cause["changes"]], cause["proposal"]["diff"])
        for cause in report["causes"]
    ]
    return [report["verdict"], report["namespaces"], *causes]


@pytest.mark.parametrize("slug", ["orders-cannot-be-placed", "statements-not-arrived"])
async def test_a_recording_of_a_live_cluster_gives_the_same_answer(slug: str, tmp_path: Path) -> None:
    clone = IncidentFolder.check_out(INCIDENTS / slug, tmp_path).clone
    recording = Recording.load(INCIDENTS / slug)
    assert recording.incident.argocd
    where = ("--namespace", recording.incident.argocd.namespace, "--repo", str(clone))
    async with await LabProcess.start(INCIDENTS / slug) as lab:
        reach = ("--kubeconfig", lab.environment["KUBECONFIG"])
        live = await run(tmp_path, "diagnose", *where, *reach, "--json")
        recorded = await run(tmp_path, "record", *where, *reach, "--out", "recorded")
        methods = {request["method"] for request in await lab.control.requests()}
    assert (live.code, recorded.code, methods) == (2, 0, {"GET"}), recorded.err
    again = await run(tmp_path, "diagnose", "--from", "recorded", "-n", where[1], "--json")
    assert told(again.json) == told(live.json)
    assert told(again.json)[0] == "fix"
    drafted = Recording.load(tmp_path / "recorded").incident
    assert drafted.expect.verdict == "fix"
    assert drafted.expect.culprit == recording.incident.expect.culprit


async def test_no_secret_of_cluster_log_or_repository_is_in_a_recording(tmp_path: Path) -> None:
    password, encoded = "hunter2Password9", "aHVudGVyMlBhc3N3b3JkOQ=="
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "shop"}}
    incident = wrong_port()
    incident.objects.append({**secret, "data": {"password": encoded}})
    incident.logs = dict.fromkeys(incident.logs, f"connecting with DB_PASSWORD={password}\nconnection refused\n")
    incident.files["deploy/secret.yaml"] = yaml.safe_dump({**secret, "data": {"password": encoded}})
    incident.files["notes.txt"] = f"api_key={password}\n"
    incident.files["key.bin"] = f"\0{password}"
    folder = IncidentFolder.check_out(incident.write(tmp_path / "incident"), tmp_path)
    folder.git("-C", str(folder.clone), "commit", "--quiet", "--allow-empty", "--message", f"Set password={password}")
    async with await LabProcess.start(tmp_path / "incident") as lab:
        reach = ("--kubeconfig", lab.environment["KUBECONFIG"])
        recorded = await run(tmp_path, "record", "-n", "shop", *reach, "--repo", str(folder.clone), "--out", "recorded")
    assert recorded.code == 0, recorded.err
    bundle = tmp_path / "recorded" / "repo.bundle"
    subprocess.run(["git", "clone", "--quiet", str(bundle), str(tmp_path / "again")], check=True, capture_output=True)
    history = subprocess.run(["git", "log", "-p"], cwd=tmp_path / "again", check=True, capture_output=True).stdout
    files = [file.read_bytes() for file in (tmp_path / "recorded").rglob("*") if file.is_file()]
    everything = b"\n".join([*files, history])
    assert b"deploy/secret.yaml" in history
    assert b"connection refused" in everything
    assert password.encode() not in everything
    assert encoded.encode() not in everything


async def test_a_recording_never_overwrites_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine.txt").write_text("mine")
    finished = await run(tmp_path, "record", "-n", "shop", "--out", "there")
    assert finished.code == 2
    assert finished.err == "error: 'there' is there already; give --out a new folder\n"
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["mine.txt"]
