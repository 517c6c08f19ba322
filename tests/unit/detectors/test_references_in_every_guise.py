from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.clusters import (
    Object,
    config_map,
    container,
    deployment,
    event,
    found,
    key_ref,
    looping,
    node,
    pod,
    replica_set,
    running,
    snapshot,
    thing,
    waiting,
)
from tests.variants import answer, named, pods_of

API = "Deployment/shop/api"


KINDS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet", "Pod")


WORDS = {"ConfigMap": "configmap", "Secret": "secret"}


MISSING = {"ConfigMap": "missing_config_map", "Secret": "missing_secret"}


def secret(name: str, **data: str) -> Object:
    return thing("Secret", name, data=data)


def source(kind: str, how: str, name: str = "conf", **rest: Any) -> tuple[list[Object], Object]:
    """A container that refers to an object in one way, and what its pod needs for it."""
    naming = "name" if kind == "ConfigMap" else "secretName"
    volume = {"configMap" if kind == "ConfigMap" else "secret": {naming: name, **rest}}
    inner = {"configMap" if kind == "ConfigMap" else "secret": {"name": name, **rest}}
    ref = "configMapRef" if kind == "ConfigMap" else "secretRef"
    mount: dict[str, Any] = {"volumeMounts": [{"name": "v", "mountPath": "/etc/app"}]}
    ways = {
        "envFrom": (container(envFrom=[{ref: {"name": name, **rest}}]), {}),
        "env": (container(env=[key_ref("MODE", kind, name, "mode", **rest)]), {}),
        "volume": (container(**mount), {"volumes": [{"name": "v", **volume}]}),
        "projected": (container(**mount), {"volumes": [{"name": "v", "projected": {"sources": [inner]}}]}),
    }
    made, spec = ways[how]
    return [made], spec


def stuck(
    kind: str, how: str, said: str, owner: str = "Deployment", *, told: bool = True, **rest: Any
) -> tuple[list[Object], list[Object]]:
    """A pod that does not start for what it refers to, and the kubelet's words: in the state or in an event."""
    containers, spec = source(kind, how, **rest)
    mounted = how in ("volume", "projected")
    words = said if told else ""
    status = waiting("ContainerCreating") if mounted else waiting("CreateContainerConfigError", words)
    objects = pods_of(owner, *containers, statuses=[status], made={"phase": "Pending", "age": 30}, **spec)
    events = (
        [event(objects[-1], "FailedMount", f'MountVolume.SetUp failed for volume "v" : {said}')]
        if mounted and told
        else []
    )
    return objects, events


@pytest.mark.parametrize("owner", KINDS)
@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
@pytest.mark.parametrize("how", ["envFrom", "env", "volume", "projected"])
def test_whatever_refers_to_an_absent_object_it_is_the_workloads_fault(owner: str, kind: str, how: str) -> None:
    objects, events = stuck(kind, how, f'{WORDS[kind]} "conf" not found', owner)
    said = answer(objects, node(), config_map("config"), secret("confs"), events=events)
    assert (said.kind, said.object, said.observed, said.verdict) == (
        MISSING[kind],
        f"{objects[0]['kind']}/shop/api",
        "conf",
        "fix",
    )


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
@pytest.mark.parametrize("how", ["envFrom", "env", "volume", "projected"])
def test_an_absent_object_is_seen_where_the_kubelets_words_have_expired(kind: str, how: str) -> None:
    objects, _ = stuck(kind, how, "", told=False)
    assert named(objects, node(), config_map("other"), secret("other")) == (MISSING[kind], API)


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
@pytest.mark.parametrize("where", ["init", "sidecar", "second"])
def test_whichever_container_refers_to_it_is_named(kind: str, where: str) -> None:
    wants = container("wants", env=[key_ref("MODE", kind, "conf", "mode")])
    said = waiting("CreateContainerConfigError", f'{WORDS[kind]} "conf" not found', "wants")
    if where == "second":
        objects = pods_of("Deployment", container(), wants, statuses=[running(), said])
    else:
        wants |= {"restartPolicy": "Always"} if where == "sidecar" else {}
        made = {"init": [said], "phase": "Pending"}
        objects = pods_of("Deployment", initContainers=[wants], statuses=[waiting("PodInitializing")], made=made)
    assert named(objects, node()) == (MISSING[kind], API)


@pytest.mark.parametrize("owner", KINDS)
@pytest.mark.parametrize(
    ("kind", "how", "said"),
    [
        ("ConfigMap", "env", "couldn't find key mode in ConfigMap shop/conf"),
        ("Secret", "env", "couldn't find key mode in Secret shop/conf"),
        ("ConfigMap", "volume", "configmap references non-existent config key: mode"),
        ("Secret", "volume", "references non-existent secret key: mode"),
        ("ConfigMap", "projected", "configmap references non-existent config key: mode"),
    ],
)
def test_a_key_that_an_existing_object_lacks_is_a_missing_key(owner: str, kind: str, how: str, said: str) -> None:
    rest: dict[str, Any] = {} if how == "env" else {"items": [{"key": "mode", "path": "mode"}]}
    objects, events = stuck(kind, how, said, owner, **rest)
    holder = config_map("conf", modes="x") if kind == "ConfigMap" else secret("conf", modes="eA==")
    answered = answer(objects, holder, node(), events=events)
    assert (answered.kind, answered.object, answered.observed) == (
        "missing_key",
        f"{objects[0]['kind']}/shop/api",
        "mode",
    )


@pytest.mark.parametrize("how", ["env", "volume"])
def test_a_missing_key_is_seen_without_a_word(how: str) -> None:
    rest: dict[str, Any] = {} if how == "env" else {"items": [{"key": "mode", "path": "mode"}]}
    objects, _ = stuck("ConfigMap", how, "", told=False, **rest)
    assert named(objects, config_map("conf", modes="x"), node()) == ("missing_key", API)


def test_a_mount_that_timed_out_still_names_the_absent_object() -> None:
    objects, _ = stuck("Secret", "volume", "", told=False)
    said = (
        "Unable to attach or mount volumes: unmounted volumes=[v], unattached volumes=[], failed to process "
        "volumes=[]: context deadline exceeded"
    )
    assert named(objects, secret("other"), node(), events=[event(objects[-1], "FailedMount", said)]) == (
        "missing_secret",
        API,
    )


def test_the_other_namespace_of_the_same_name_does_not_help() -> None:
    objects, events = stuck("ConfigMap", "envFrom", 'configmap "conf" not found')
    assert named(objects, config_map("conf", namespace="stage"), node(), events=events) == ("missing_config_map", API)


def test_an_object_that_a_commit_renamed_makes_that_commit_guilty() -> None:
    objects, events = stuck("ConfigMap", "envFrom", 'configmap "conf" not found')
    said = answer(
        objects,
        config_map("config-v2", mode="x"),
        node(),
        events=events,
        before=[objects[0], config_map("conf", mode="x")],
    )
    assert (said.kind, said.culprit, said.verdict) == ("missing_config_map", "change something", "fix")


@pytest.mark.parametrize("how", ["envFrom", "env", "volume", "projected"])
@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_an_optional_reference_is_never_missed(kind: str, how: str) -> None:
    containers, spec = source(kind, how, optional=True)
    objects = pods_of("Deployment", *containers, statuses=[looping(1)], **spec)
    assert named(objects, config_map("other"), secret("other"), node())[0] not in MISSING.values()


def test_a_new_revision_that_refers_to_nothing_counts_though_the_old_pods_serve() -> None:
    older, newer = deployment("api"), deployment("api", source("Secret", "envFrom")[0][0])
    former, latest = replica_set(older, revision=1), replica_set(newer, revision=2, age=30)
    broken = pod(
        latest, waiting("CreateContainerConfigError", 'secret "conf" not found'), name="api-rev2-x", phase="Pending"
    )
    said = answer(newer, former, latest, pod(former, name="api-rev1-x"), broken, node(), before=[older])
    assert (said.kind, said.object, said.verdict, said.culprit) == ("missing_secret", API, "fix", "change something")


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["envFrom", "env", "volume", "projected"]), st.sampled_from(["ConfigMap", "Secret"]), st.booleans()
)
def test_references_that_are_met_are_never_missed(how: str, kind: str, crashing: bool) -> None:
    containers, spec = source(kind, how)
    held = config_map("conf", mode="x") if kind == "ConfigMap" else secret("conf", mode="eA==")
    objects = pods_of("Deployment", *containers, statuses=[looping(1) if crashing else running()], **spec)
    kinds = {kind_.value for kind_, _ in found(snapshot(objects, held, node()))}
    assert not kinds & {"missing_key", *MISSING.values()}
