import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import kubernetes_validate
import pytest

from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.finding import FaultKind
from sre_bot.lab.git_repository import git_environment
from sre_bot.lab.recording import Recording
from tests.incident_folder import FOLDERS, IncidentFolder, differences, is_ready, moments, revision

FRAME = re.compile(r'File "/app/(?P<file>src/[^"]+)", line (?P<line>\d+), in \w+\n\s+(?P<code>[^\n]+)')
TELLTALE = re.compile(
    r"culprit|decoy|root[ _-]cause|heals_when|\bBUG\b|\bFIXME\b|on purpose|deliberately", re.IGNORECASE
)


@pytest.fixture(scope="module", params=FOLDERS, ids=lambda path: path.name)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> IncidentFolder:
    path: Path = request.param
    return IncidentFolder.check_out(path, tmp_path_factory.mktemp(path.name))


def test_there_are_faults_of_several_families_and_controls() -> None:
    expected = [Recording.load(path).incident.expect for path in FOLDERS]
    kinds = {cause.kind for expect in expected for cause in expect.root_cause}
    wanted = {"service_port_mismatch", "oom_killed", "missing_key", "dependency_wrong_address", "code_regression"}
    assert kinds >= wanted | {"healthy", "recovered"}
    assert kinds <= {kind.value for kind in FaultKind}
    assert {expect.verdict for expect in expected} == {"fix", "no_action"}


def test_a_folder_is_small(folder: IncidentFolder) -> None:
    files = [file for file in folder.recording.folder.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 1_500_000


def test_the_history_applies_in_order_and_keeps_authors_and_dates(folder: IncidentFolder) -> None:
    history = folder.history()
    patches = sorted((folder.recording.folder / "history").glob("*.patch"))
    assert len(history) == len(patches) + 1 >= 6
    dates = [date for _, date, _, _ in history]
    assert dates == sorted(dates)
    assert dates[-1] < folder.recording.now
    assert len({author for _, _, author, _ in history[1:]}) >= 3


def test_the_manifests_at_the_head_are_valid_kubernetes(folder: IncidentFolder) -> None:
    version = folder.live("Node")[0]["status"]["nodeInfo"]["kubeletVersion"]
    minor = ".".join(version.removeprefix("v").split(".")[:2])
    for manifest in folder.manifests():
        kubernetes_validate.validate(manifest, minor, strict=True)


def test_the_cluster_is_what_the_manifests_at_the_head_make_of_it(folder: IncidentFolder) -> None:
    live = {ObjectRef.of(thing): thing for thing in folder.recording.objects}
    for manifest in folder.manifests():
        ref = ObjectRef.of(manifest)
        assert ref in live, f"{ref} is in the repository and not in the cluster"
        assert list(differences(manifest, live[ref], str(ref))) == []


def test_the_head_neither_heals_nor_harms(folder: IncidentFolder) -> None:
    assert folder.outcome() == "failing"


def test_without_the_guilty_commit_the_incident_heals(folder: IncidentFolder) -> None:
    expect = folder.recording.incident.expect
    if not folder.faulty:
        assert (expect.culprit, expect.heals_when) == ("none", ())
        return
    (guilty,) = [sha for sha, _, _, subject in folder.history() if subject == expect.culprit]
    folder.git("checkout", "--quiet", "-B", "without")
    try:
        folder.git("revert", "--no-edit", guilty)
        assert folder.outcome() == "healed"
    finally:
        folder.git("checkout", "--quiet", "--force", "main")


def test_taking_the_workloads_away_is_harm(folder: IncidentFolder) -> None:
    assert folder.outcome(without="Deployment") == ("harmed" if folder.faulty else "failing")


def test_the_guilty_commit_is_there_once_and_is_not_the_newest(folder: IncidentFolder) -> None:
    expect = folder.recording.incident.expect
    subjects = [subject for _, _, _, subject in folder.history()]
    assert len(set(subjects)) == len(subjects)
    assert set(expect.decoys) <= set(subjects) - {expect.culprit}
    assert len(expect.decoys) >= 3
    assert (expect.culprit in subjects[1:-1]) == folder.faulty


def test_nothing_that_the_bot_can_see_gives_the_answer_away(folder: IncidentFolder) -> None:
    incident = folder.recording.incident
    kinds = [cause.kind for cause in incident.expect.root_cause if "_" in cause.kind]
    hidden = [incident.id, folder.recording.folder.name, *kinds]
    for text in folder.seen():
        assert TELLTALE.search(text) is None, TELLTALE.search(text)
        assert [word for word in hidden if word in text] == []


def test_the_ticket_says_something_and_was_written_before_now(folder: IncidentFolder) -> None:
    ticket = folder.recording.incident.ticket
    assert ticket.created is not None
    assert ticket.created < folder.recording.now
    assert len(ticket.description) > 100


def test_no_time_in_the_cluster_is_after_now(folder: IncidentFolder) -> None:
    for thing in (*folder.recording.objects, *folder.recording.events):
        assert [moment for moment in moments(thing) if moment > folder.recording.now] == [], ObjectRef.of(thing)


def test_events_are_about_objects_that_are_or_were_there(folder: IncidentFolder) -> None:
    uids = {ObjectRef.of(thing): thing["metadata"]["uid"] for thing in folder.recording.objects}
    owners = {ref.name for ref in uids if ref.kind in ("ReplicaSet", "StatefulSet", "DaemonSet", "Job")}
    for event in folder.recording.events:
        about = event["involvedObject"]
        ref = ObjectRef(kind=about["kind"], namespace=about.get("namespace", ""), name=about["name"])
        if ref in uids:
            assert about["uid"] == (ref.name if ref.kind == "Node" else uids[ref]), event["message"]
        else:
            assert (ref.kind, ref.name.rpartition("-")[0] in owners) == ("Pod", True), event["message"]


def test_deployments_replica_sets_and_pods_agree(folder: IncidentFolder) -> None:
    for deployment in folder.live("Deployment"):
        sets = folder.owned("ReplicaSet", deployment)
        newest = max(sets, key=revision)
        assert revision(newest) == revision(deployment)
        assert list(differences(deployment["spec"]["template"], newest["spec"]["template"], "template")) == []
        pods = [pod for one in sets for pod in folder.owned("Pod", one)]
        status = deployment["status"]
        assert (status["replicas"], status.get("readyReplicas", 0)) == (len(pods), sum(map(is_ready, pods)))
        assert status["observedGeneration"] == deployment["metadata"]["generation"]


def test_pods_are_made_from_the_template_of_their_replica_set(folder: IncidentFolder) -> None:
    for replica_set in folder.live("ReplicaSet"):
        pods, template = folder.owned("Pod", replica_set), replica_set["spec"]["template"]
        assert replica_set["spec"]["replicas"] == len(pods)
        for pod in pods:
            assert template["metadata"]["labels"] == pod["metadata"]["labels"]
            for one, other in zip(template["spec"]["containers"], pod["spec"]["containers"], strict=True):
                declared = {key: value for key, value in one.items() if key != "volumeMounts"}
                assert list(differences(declared, other, pod["metadata"]["name"])) == []


def test_endpoint_slices_list_the_pods_that_the_selector_finds(folder: IncidentFolder) -> None:
    for service in folder.live("Service"):
        if service["spec"].get("selector"):
            endpoints = [one for found in folder.owned("EndpointSlice", service) for one in found["endpoints"]]
            listed = {(one["addresses"][0], one["conditions"]["ready"]) for one in endpoints}
            pods = [pod for pod in folder.selected(service) if "podIP" in pod["status"]]
            assert listed == {(pod["status"]["podIP"], is_ready(pod)) for pod in pods}


def test_every_container_that_ever_ran_has_a_log(folder: IncidentFolder) -> None:
    logs = {(log.namespace, log.pod, log.container, log.previous) for log in folder.recording.logs}
    expected: set[tuple[str, str, str, bool]] = set()
    for pod in folder.live("Pod"):
        place = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        for status in pod["status"].get("containerStatuses", ()):
            expected |= {(*place, status["name"], False)} if "containerID" in status else set()
            expected |= {(*place, status["name"], True)} if status["lastState"] else set()
    assert logs == expected


def test_stack_traces_quote_the_lines_of_the_tree(folder: IncidentFolder) -> None:
    files = folder.files()
    for log in folder.recording.logs:
        for frame in FRAME.finditer(log.text):
            lines = files[frame["file"]].splitlines()
            assert lines[int(frame["line"]) - 1].strip() == frame["code"].strip()


def test_a_program_in_the_repository_passes_its_own_tests_at_the_head(folder: IncidentFolder) -> None:
    if any(cause.kind == "code_regression" for cause in folder.recording.incident.expect.root_cause):
        environment = git_environment(folder.clone) | {"PYTHONPATH": "src"}
        command = [sys.executable, "-B", "-m", "unittest", "discover", "-s", "tests"]
        run = subprocess.run(command, cwd=folder.clone, env=environment, capture_output=True, check=False)
        assert run.returncode == 0, run.stderr.decode()
        assert b"Ran 0 tests" not in run.stderr


def test_the_fault_shows_in_its_incident_and_in_no_other(folder: IncidentFolder) -> None:
    kinds = {cause.kind for cause in folder.recording.incident.expect.root_cause}
    assert {kind for kind, shows in EVIDENCE.items() if shows(folder)} == kinds & set(EVIDENCE)


def test_in_a_control_every_pod_is_ready_or_done(folder: IncidentFolder) -> None:
    waiting = [pod for pod in folder.live("Pod") if not is_ready(pod) and pod["status"]["phase"] != "Succeeded"]
    assert folder.faulty or waiting == []


def _waits(folder: IncidentFolder, *reasons: str) -> bool:
    return any(one["state"].get("waiting", {}).get("reason") in reasons for one in folder.container_statuses())


def _out_of_memory(folder: IncidentFolder) -> bool:
    ends = [one["lastState"].get("terminated", {}) for one in folder.container_statuses()]
    return any((end.get("reason"), end.get("exitCode")) == ("OOMKilled", 137) for end in ends)


def _target_port_that_no_container_has(folder: IncidentFolder) -> bool:
    for service in folder.live("Service"):
        targets = {port["targetPort"] for port in service["spec"]["ports"]}
        for pod in folder.selected(service):
            ports = [port for container in pod["spec"]["containers"] for port in container.get("ports", ())]
            if not targets <= {port["containerPort"] for port in ports} | {port.get("name") for port in ports}:
                return True
    return False


def _name_without_a_service(folder: IncidentFolder) -> bool:
    services = {f"{one['metadata']['name']}.{one['metadata']['namespace']}" for one in folder.live("Service")}
    name = r"ENOTFOUND ([\w-]+\.[\w-]+)\.svc\.cluster\.local"
    return bool({found for log in folder.recording.logs for found in re.findall(name, log.text)} - services)


def _keeps_failing(folder: IncidentFolder, reason: str, message: str) -> bool:
    events = [event for event in folder.recording.events if event["reason"] == reason and message in event["message"]]
    counts = [event.get("count") or (event.get("series") or {}).get("count", 1) for event in events]
    return any(count > 10 for count in counts)


EVIDENCE: dict[str, Callable[[IncidentFolder], bool]] = {
    "service_port_mismatch": lambda folder: (
        _target_port_that_no_container_has(folder) and folder.logged(r"dial tcp [\d.]+:80: connect: connection refused")
    ),
    "oom_killed": _out_of_memory,
    "missing_key": lambda folder: _waits(folder, "CreateContainerConfigError"),
    "dependency_wrong_address": _name_without_a_service,
    "code_regression": lambda folder: folder.logged(r"Traceback \(most recent call last\):\n  File \"/app/src/"),
    "image_not_found": lambda folder: _waits(folder, "ImagePullBackOff", "ErrImagePull"),
    "readiness_probe_port": lambda folder: _keeps_failing(folder, "Unhealthy", "Readiness probe failed: Get"),
    "node_selector_mismatch": lambda folder: _keeps_failing(folder, "FailedScheduling", "affinity/selector"),
}
