"""A snapshot from files: every shape, nothing outside the folder, nothing unreadable passed over in silence."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from sre_bot.domain.cluster import ClusterSnapshot
from sre_bot.domain.errors import BadInput
from sre_bot.lab.recording import Recording
from sre_bot.tools.snapshot_folder import read_snapshot
from tests.diagnoses import best_of, diagnose
from tests.dumps import SHAPES, one_yaml_list
from tests.incident_folder import INCIDENTS
from tests.small_incidents import crash_loop, wrong_port

ORDERS = INCIDENTS / "orders-cannot-be-placed"


@pytest.fixture(scope="module")
def recording() -> Recording:
    return Recording.load(ORDERS)


def answer(snapshot: ClusterSnapshot) -> tuple[str, str]:
    best = best_of(diagnose(snapshot))
    return best.kind.value, str(best.object)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_the_answer_is_the_same_whatever_shape_the_cluster_was_dumped_in(
    shape: Callable[[Recording, Path], Path], recording: Recording, tmp_path: Path
) -> None:
    dumped, recorded = read_snapshot(shape(recording, tmp_path)), read_snapshot(ORDERS)
    assert len(dumped.objects) == len(recorded.objects)
    assert len(dumped.events) == len(recorded.events)
    assert {(log.pod, log.container) for log in dumped.logs} == {(log.pod, log.container) for log in recorded.logs}
    kinds = {f"{thing['kind'].lower()}s" for thing in recording.objects}
    assert all(one.endswith(": not in the dump") and one.split(":")[0] not in kinds for one in dumped.unseen)
    assert abs((dumped.taken_at - recorded.taken_at).total_seconds()) < 900
    assert answer(dumped) == answer(recorded)


def test_what_is_expected_of_an_incident_is_not_part_of_it(tmp_path: Path) -> None:
    incident = wrong_port()
    incident.extra = {"expect/answer.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: expected}\n"}
    folder = incident.write(tmp_path / "incident")
    before = read_snapshot(folder)
    described = yaml.safe_load((folder / "incident.yaml").read_text())
    described["expect"]["root_cause"] = [{"kind": "healthy", "object": "Service/shop/elsewhere"}]
    (folder / "incident.yaml").write_text(yaml.safe_dump(described))
    assert read_snapshot(folder) == before
    assert "expected" not in {thing["metadata"]["name"] for thing in before.objects}
    assert "secret-answer" not in before.model_dump_json()


def test_only_the_named_namespaces_and_the_clusters_own_things_are_kept() -> None:
    snapshot = read_snapshot(ORDERS, ("plumtree",))
    places = {thing["metadata"].get("namespace", "") for thing in snapshot.objects}
    assert snapshot.namespaces == ("plumtree",)
    assert places <= {"", "plumtree", "kube-system", "kube-node-lease", "kube-public"}
    assert {log.namespace for log in snapshot.logs} <= {"plumtree", "kube-system"}


def test_a_dump_of_some_kinds_says_which_ones_it_lacks(recording: Recording, tmp_path: Path) -> None:
    kept = [thing for thing in recording.objects if thing["kind"] in ("Pod", "Deployment", "Service")]
    (tmp_path / "all.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": kept}))
    unseen = read_snapshot(tmp_path / "all.json").unseen
    assert {"secrets: not in the dump", "configmaps: not in the dump", "events: not in the dump"} <= set(unseen)
    assert "logs: not in the dump" in unseen
    assert "pods: not in the dump" not in unseen


def test_the_previous_log_of_a_crashed_container_is_told_from_the_present_one(tmp_path: Path) -> None:
    snapshot = read_snapshot(crash_loop().write(tmp_path))
    assert {log.previous for log in snapshot.logs} == {True, False}


def test_no_secret_value_is_kept(tmp_path: Path) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "db", "namespace": "shop", "uid": "1"},
        "data": {"password": "aHVudGVyMnBhc3N3b3Jk"},
    }
    incident = crash_loop()
    incident.objects.append(secret)
    incident.logs = dict.fromkeys(incident.logs, "DB_PASSWORD=hunter2password\n")
    told = read_snapshot(incident.write(tmp_path)).model_dump_json()
    assert "hunter2password" not in told
    assert "aHVudGVyMnBhc3N3b3Jk" not in told
    assert '"password"' in told, "the key stays: whether it exists is a question"


def test_a_folder_full_of_traps_is_read_as_far_as_it_can_be(recording: Recording, tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: outside, uid: '1'}\n")
    folder = one_yaml_list(recording, tmp_path / "dump")
    (folder / "secrets.yaml").write_text("kind: Secret\n  broken: [\n")
    (folder / "strange.yaml").write_bytes(b"\xff\xfe\x00kind: \x1b[31m\x80: \x00\n- [")
    (folder / "link.yaml").symlink_to(outside)
    (folder / "circle.yaml").symlink_to(folder / "circle.yaml")
    (folder / "away").symlink_to("/")
    os.mkfifo(folder / "pipe.yaml")
    with (folder / "huge.json").open("wb") as huge:
        huge.truncate(300 * 1024 * 1024)
    logs = folder / "logs" / "plumtree" / "strange-pod"
    logs.mkdir()
    (logs / "app.log").write_bytes(b"\xff\x00\x1b]0;owned\x07 not text\n")
    snapshot = read_snapshot(folder)
    assert answer(snapshot) == answer(read_snapshot(ORDERS))
    assert "outside" not in {thing["metadata"]["name"] for thing in snapshot.objects}
    said = "\n".join(snapshot.unseen)
    assert "secrets (secrets.yaml): Secret in it not read: line 2" in said
    assert "huge (huge.json): too large to be read (300 MiB)" in said
    assert "links that lead out of it, or no plain files" in said


def test_of_an_endless_log_the_newest_lines_are_kept(tmp_path: Path) -> None:
    incident = wrong_port()
    name = next(iter(incident.logs))
    incident.logs[name] = "".join(f"line {n:09}\n" for n in range(200_000))
    (log,) = read_snapshot(incident.write(tmp_path)).logs
    assert log.truncated
    assert log.text.startswith("line ")
    assert log.text.endswith("line 000199999\n")
    assert len(log.text) <= 1024 * 1024


def test_what_the_recorder_could_not_see_stays_unseen(tmp_path: Path) -> None:
    folder = wrong_port().write(tmp_path)
    with (folder / "incident.yaml").open("a") as file:
        file.write("unseen: ['nodes: forbidden']\n")
    assert read_snapshot(folder).unseen == ("nodes: forbidden",)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "holds no Kubernetes objects"),
        ({"notes.txt": "nothing"}, "holds no Kubernetes objects"),
        ({"a.yaml": "kind: ["}, "holds no Kubernetes objects (a (a.yaml): "),
        ({"a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"}, "holds manifests as people write them"),
        ({"one/incident.yaml": "", "two/incident.yaml": ""}, "holds 2 incident folders; name one of them, 'one' say"),
        ({"incident.yaml": "id: x"}, "incident.yaml cannot be read: now: Field required"),
    ],
)
def test_a_folder_with_nothing_to_diagnose_is_refused_with_advice(
    files: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(BadInput) as refused:
        read_snapshot(tmp_path)
    assert sentence in str(refused.value)


def test_a_path_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadInput, match="'/nowhere/at/all' does not exist"):
        read_snapshot(Path("/nowhere/at/all"))
