"""``sre-bot diagnose`` as a newcomer runs it: in a folder of their own, without a key, a ticket or a database."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sre_bot.lab.client import LabProcess
from tests.acceptance_stage import INCIDENTS, Finished, newcomer
from tests.incident_folder import IncidentFolder
from tests.many_commands import Command, each
from tests.small_incidents import crash_loop, wrong_port

ORDERS = INCIDENTS / "orders-cannot-be-placed"
CAUSE = ("service_port_mismatch", "Service/plumtree/slots")


async def diagnosed(home: Path, *arguments: str, **more: str) -> Finished:
    (finished,) = await each([Command(("diagnose", *arguments), str(home), newcomer(home, **more))])
    return finished


def cause(report: dict[str, Any]) -> tuple[str, str]:
    return report["causes"][0]["kind"], report["causes"][0]["object"]


async def test_a_recording_is_explained_cause_first_with_the_guilty_commit_and_a_fix(tmp_path: Path) -> None:
    finished = await diagnosed(tmp_path, "--from", str(ORDERS))
    assert finished.code == 2, finished.err
    said = finished.out
    order = ["CAUSE  service port mismatch", "Evidence", "What changed", "Harmonise the Service", "Suggested fix"]
    places = [said.index(one) for one in order]
    assert places == sorted(places)
    assert "-      targetPort: 8080" in said
    assert "+      targetPort: 8000" in said
    assert "% sure" in said
    assert [path.name for path in tmp_path.iterdir()] == [], "nothing is left behind"


async def test_a_healthy_recording_exits_with_0_and_says_so(tmp_path: Path) -> None:
    finished = await diagnosed(tmp_path, "--from", str(INCIDENTS / "site-feels-slow"))
    assert (finished.code, finished.err) == (0, "")
    assert "Nothing needs to be done." in finished.out


async def test_machines_get_one_document_with_everything_that_people_see(tmp_path: Path) -> None:
    finished = await diagnosed(tmp_path, "--from", str(ORDERS), "--json", "--top", "1")
    report = finished.json
    assert finished.code == 2
    assert cause(report) == CAUSE
    assert report["verdict"] == "fix"
    assert len(report["causes"]) == 1
    first = report["causes"][0]
    assert first["changes"][0]["subject"] == "Harmonise the Service definitions"
    assert "+      targetPort: 8000" in first["proposal"]["diff"]
    assert all(piece["id"] and piece["excerpt"] for piece in first["evidence"])


async def test_every_piece_of_the_chain_of_evidence_is_explained_with_its_id(tmp_path: Path) -> None:
    told, explained = await each(
        [
            Command(("diagnose", "--from", str(ORDERS), *more), str(tmp_path), newcomer(tmp_path, COLUMNS="400"))
            for more in (("--json",), ("--explain",))
        ]
    )
    for piece in told.json["causes"][0]["evidence"]:
        assert f"[{piece['id']}]" in explained.out
        assert piece["excerpt"].splitlines()[0] in explained.out


async def test_a_clone_is_read_as_it_lies_there_and_its_deployed_folder_is_found(tmp_path: Path) -> None:
    clone = IncidentFolder.check_out(ORDERS, tmp_path).clone
    dump = tmp_path / "dump"
    dump.mkdir()
    for part in ("cluster", "logs"):
        (dump / part).symlink_to(ORDERS / part)
    (dump / "incident.yaml").write_text("now: 2026-02-17T10:06:00Z\n")
    for part in ("cluster", "logs"):
        (dump / part).unlink()
        subprocess.run(["cp", "-r", str(ORDERS / part), str(dump / part)], check=True)
    before = sorted((path, path.stat().st_mtime_ns) for path in clone.rglob("*"))
    root = (await diagnosed(tmp_path, "--from", str(dump), "--repo", str(clone), "--json")).json
    named = (await diagnosed(tmp_path, "--from", str(dump), "--repo", str(clone / "deploy"), "--json")).json
    assert root["repository"].endswith(", folder deploy")
    assert root["causes"] == named["causes"]
    assert root["verdict"] == "fix"
    assert sorted((path, path.stat().st_mtime_ns) for path in clone.rglob("*")) == before


async def test_against_a_live_cluster_it_only_ever_reads(tmp_path: Path) -> None:
    async with await LabProcess.start(ORDERS) as lab:
        kubeconfig = lab.environment["KUBECONFIG"]
        finished = await diagnosed(tmp_path, "--namespace", "plumtree", "--kubeconfig", kubeconfig, "--json")
        asked = await lab.control.requests()
    assert finished.code == 2, finished.err
    assert cause(finished.json) == CAUSE
    assert finished.json["namespaces"] == ["plumtree"]
    assert {request["method"] for request in asked} == {"GET"}
    assert {request["service"] for request in asked} == {"kubernetes"}


async def test_the_contexts_own_namespace_counts_where_none_is_given(tmp_path: Path) -> None:
    async with await LabProcess.start(ORDERS) as lab:
        kubeconfig = yaml.safe_load(Path(lab.environment["KUBECONFIG"]).read_text())
        for context in kubeconfig["contexts"]:
            context["context"]["namespace"] = "plumtree"
        own = tmp_path / ".kube" / "config"
        own.parent.mkdir()
        own.write_text(yaml.safe_dump(kubeconfig))
        finished = await diagnosed(tmp_path, "--json")
        unknown = await diagnosed(tmp_path, "-n", "nowhere")
    assert (finished.code, finished.json["namespaces"], cause(finished.json)) == (2, ["plumtree"], CAUSE)
    assert unknown.code == 1
    assert "there is no namespace 'nowhere' in context" in unknown.err


REFUSED = {
    "--from nowhere": "'nowhere' does not exist",
    "--from empty": "'empty' holds no Kubernetes objects; what can be read is an incident folder",
    "--from empty --context lab": "--from reads a recording, --kubeconfig and --context a cluster",
    "--path deploy": "--path is a folder of --repo",
    "--nonsense": "No such option: --nonsense",
    "--kubeconfig nowhere": "no cluster can be reached through the kubeconfig 'nowhere'",
    "-n shop": "no cluster can be reached through a kubeconfig",
    "--kubeconfig dead --context other": "there is no context 'other' in the kubeconfig; it has dead",
    "--kubeconfig dead": "Kubernetes: GET /api/v1/namespaces/shop: no answer",
    "--from incident --repo empty": "'empty' is no git repository, and stands in none",
    "--from incident --repo new": "has no commit, or cannot be read",
    "--from incident --path elsewhere": "the repository holds no folder 'elsewhere'",
}
"""What is typed, and what is said about it."""


async def test_what_cannot_be_diagnosed_ends_with_1_and_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    wrong_port().write(tmp_path / "incident")
    subprocess.run(["git", "init", "--quiet", str(tmp_path / "new")], check=True, capture_output=True)
    dead = {
        "current-context": "dead",
        "clusters": [{"name": "dead", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "dead", "user": {}}],
        "contexts": [{"name": "dead", "context": {"cluster": "dead", "user": "dead", "namespace": "shop"}}],
    }
    (tmp_path / "dead").write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", **dead}))
    commands = [
        Command(("diagnose", *typed.split()), str(tmp_path), newcomer(tmp_path, HOME=str(tmp_path / "empty")))
        for typed in REFUSED
    ]
    for typed, finished, sentence in zip(REFUSED, await each(commands), REFUSED.values(), strict=True):
        assert finished.code == 1, typed
        assert sentence in finished.err, typed
        assert finished.err.startswith("error: "), typed
        assert finished.err.count("\n") == 1, typed
        assert "Traceback" not in finished.err + finished.out


HOSTILE = "\x1b]0;owned\x07\x1b[2J<script>alert(1)</script>\u202e token=ghp_0123456789abcdefABCDEF0123456789abcd"


@pytest.mark.parametrize("more", [(), ("--explain",), ("--json",)])
async def test_nothing_foreign_acts_where_it_is_shown(more: tuple[str, ...], tmp_path: Path) -> None:
    incident = crash_loop()
    incident.logs = dict.fromkeys(incident.logs, f"environment variable MODE is not set {HOSTILE}\n")
    page = tmp_path / "report.html"
    finished = await diagnosed(
        tmp_path, "--from", str(incident.write(tmp_path / HOSTILE[2:7])), *more, "--html", str(page)
    )
    assert finished.code == 2, finished.err
    shown = finished.out + page.read_text()
    assert "x1b]0;owned" in shown, "it is shown, and does nothing"
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)
    assert "<script" not in page.read_text()
    assert "ghp_0123456789abcdef" not in shown + json.dumps(shown)
