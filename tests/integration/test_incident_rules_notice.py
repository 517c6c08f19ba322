"""Each rule for incident folders is shown a folder that breaks it."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sre_bot.domain.cluster import ContainerLog, KubernetesObject
from sre_bot.lab.recording import Cause
from tests.incident_folder import INCIDENTS, IncidentFolder
from tests.incident_rules import answers, complaints, histories, logs, objects, workloads

Change = Callable[[IncidentFolder], dict[str, Any]]
"""What a spoilt recording has instead."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> IncidentFolder:
    return IncidentFolder.check_out(INCIDENTS / "freight-desk-gets-errors", tmp_path_factory.mktemp("sound"))


def expecting(**changed: Any) -> Change:
    def change(folder: IncidentFolder) -> dict[str, Any]:
        incident = folder.recording.incident
        return {"incident": incident.model_copy(update={"expect": incident.expect.model_copy(update=changed)})}

    return change


def ticket(**changed: Any) -> Change:
    def change(folder: IncidentFolder) -> dict[str, Any]:
        incident = folder.recording.incident
        return {"incident": incident.model_copy(update={"ticket": incident.ticket.model_copy(update=changed)})}

    return change


def without(kind: str) -> Change:
    return lambda folder: {"objects": tuple(one for one in folder.recording.objects if one["kind"] != kind)}


def with_part(kind: str, part: str, **changed: Any) -> Change:
    """Every object of a kind with other values in one of its parts."""

    def spoilt(thing: KubernetesObject) -> KubernetesObject:
        return {**thing, part: {**thing[part], **changed}} if thing["kind"] == kind else thing

    return lambda folder: {"objects": tuple(map(spoilt, folder.recording.objects))}


def strange_log(folder: IncidentFolder) -> dict[str, Any]:
    return {"logs": (*folder.recording.logs, ContainerLog(namespace="x", pod="y", container="z", text="hello"))}


def strange_event(folder: IncidentFolder) -> dict[str, Any]:
    first, *others = folder.recording.events
    return {"events": ({**first, "involvedObject": {"kind": "Pod", "name": "nobody", "uid": "7"}}, *others)}


def misquoted(folder: IncidentFolder) -> dict[str, Any]:
    text = 'Traceback (most recent call last):\n  File "/app/src/tariffs/bands.py", line 1, in x\n    nonsense()\n'
    return {"logs": (*folder.recording.logs, folder.recording.logs[0].model_copy(update={"text": text}))}


def earlier(folder: IncidentFolder) -> dict[str, Any]:
    incident = folder.recording.incident
    return {"incident": incident.model_copy(update={"now": incident.now - timedelta(days=400)})}


def telling(folder: IncidentFolder) -> dict[str, Any]:
    (cause, *_) = folder.recording.incident.expect.root_cause
    return {"logs": (folder.recording.logs[0].model_copy(update={"text": f"# {cause.kind} happens here"}),)}


SPOILT: list[tuple[Callable[..., Any], Change]] = [
    (answers.the_answer_is_of_our_vocabulary, expecting(verdict="perhaps")),
    (answers.the_answer_is_of_our_vocabulary, expecting(root_cause=(Cause(kind="gremlins"),))),
    (answers.the_verdict_agrees_with_the_rest, expecting(verdict="no_action")),
    (answers.the_verdict_agrees_with_the_rest, expecting(root_cause=())),
    (
        answers.the_guilty_object_is_in_the_cluster_or_in_the_repository,
        expecting(root_cause=(Cause(kind="oom_killed", object="Deployment/no/where"),)),
    ),
    (answers.the_ticket_says_something_and_was_written_before_now, ticket(description="broken")),
    (answers.every_check_is_there_and_asked, expecting(heals_when=({"command": "checks/none.py"},))),
    (
        answers.the_head_neither_heals_nor_harms,
        expecting(heals_when=({"object": "Deployment/tariffs", "exists": True},)),
    ),
    (
        answers.without_the_guilty_commit_the_incident_heals,
        expecting(heals_when=({"object": "Pod/no", "exists": True},)),
    ),
    (answers.deploying_nothing_is_harm, expecting(harms_when=({"object": "Pod/no", "exists": True},))),
    (answers.nothing_that_the_bot_can_see_gives_the_answer_away, telling),
    (histories.the_history_applies_in_order_and_keeps_authors_and_dates, earlier),
    (histories.the_guilty_commit_is_there_once_and_so_are_the_tempting_ones, expecting(culprit="nobody did it")),
    (objects.the_cluster_is_what_the_manifests_at_the_head_make_of_it, without("Service")),
    (objects.the_cluster_is_what_the_manifests_at_the_head_make_of_it, with_part("Deployment", "spec", replicas=41)),
    (objects.no_time_in_the_cluster_is_after_now, earlier),
    (objects.events_are_about_objects_that_are_or_were_there, strange_event),
    (objects.endpoint_slices_list_the_pods_that_the_selector_finds, without("EndpointSlice")),
    (workloads.a_deployment_and_its_newest_replica_set_agree, without("ReplicaSet")),
    (workloads.the_status_of_a_deployment_counts_its_pods, with_part("Deployment", "status", replicas=41)),
    (workloads.a_replica_set_has_its_pods_unless_the_api_refused_them, without("Pod")),
    (workloads.pods_are_made_from_the_template_of_their_replica_set, with_part("Pod", "metadata", labels={})),
    (workloads.in_a_calm_cluster_every_workload_has_a_ready_pod, expecting(verdict="no_action")),
    (logs.every_running_container_that_can_be_asked_has_a_log, lambda _: {"logs": ()}),
    (logs.every_running_container_that_can_be_asked_has_a_log, strange_log),
    (logs.stack_traces_quote_the_lines_of_the_tree, misquoted),
    (logs.a_fault_can_be_seen_somewhere, lambda _: {"logs": (), "events": ()}),
]


def unready(folder: IncidentFolder) -> IncidentFolder:
    """The same cluster with no pod ready; what is calm must not look like this."""
    spoilt = with_part("Pod", "status", conditions=[])(folder)
    return IncidentFolder(folder.recording.model_copy(update=spoilt), folder.place)


def test_the_sound_folder_breaks_no_rule(sound: IncidentFolder) -> None:
    assert complaints(sound) == []


@pytest.mark.parametrize(("rule", "change"), SPOILT)
def test_a_rule_notices_what_breaks_it(sound: IncidentFolder, rule: Callable[..., Any], change: Change) -> None:
    ground = unready(sound) if rule is workloads.in_a_calm_cluster_every_workload_has_a_ready_pod else sound
    spoilt = IncidentFolder(ground.recording.model_copy(update=change(ground)), ground.place)
    assert list(rule(spoilt)) != []


def test_a_folder_on_the_wrong_shelf_is_noticed(sound: IncidentFolder, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    moved = tmp_path / "kept" / "somewhere"
    moved.symlink_to(sound.recording.folder)
    folder = IncidentFolder(sound.recording.model_copy(update={"folder": moved}), sound.place)
    assert list(answers.the_split_is_that_of_the_shelf(folder)) != []


def test_a_manifest_that_no_api_server_takes_is_noticed(sound: IncidentFolder, tmp_path: Path) -> None:
    unknown = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": {"pods": 3}}
    (tmp_path / "bare.git").symlink_to(sound.place / "bare.git")
    folder = IncidentFolder(sound.recording, tmp_path)
    vars(folder)["manifests"] = (unknown,)  # where a cached property keeps its value
    assert list(objects.the_manifests_at_the_head_are_valid_kubernetes(folder)) != []
