"""A commit can be guilty that never touched what fails; a release beside it, which only restarted pods, is innocent."""

from typing import Any

import pytest

from sre_bot.domain.cluster import ClusterSnapshot
from tests.clusters import (
    NAMESPACE,
    Object,
    ago,
    config_map,
    container,
    deployment,
    env,
    event,
    key_ref,
    log,
    looping,
    node,
    pending,
    pod,
    replica_set,
    running,
    service,
    snapshot,
    thing,
    waiting,
    workload,
)
from tests.diagnoses import diagnose
from tests.histories import history, manifest
from tests.measured import counter, gauge, step
from tests.variants import claim, mounts, volume

FORCED = "argocd.argoproj.io/sync-options: Force=true,Replace=true"
OLD, NEW = "registry.example/api:1.0", "registry.example/api:1.1"
GUILTY = "the guilty one"


def culprit(cluster: ClusterSnapshot, victim: Object, before: list[Object], after: list[Object]) -> tuple[str, str]:
    """Kind and accused commit: the guilty change came first, then innocent releases of the victim and of another."""
    release = manifest(victim)
    others = [deployment("idler", container(image=f"registry.example/idler:{number}")) for number in (1, 2)]
    repository = history(
        {
            "deploy/victim.yaml": release.replace(NEW, OLD),
            "deploy/rest.yaml": manifest(*before),
            "deploy/idler.yaml": manifest(others[0]),
        },
        (GUILTY, 600, {"deploy/rest.yaml": manifest(*after)}),
        ("release of the victim", 62, {"deploy/victim.yaml": release}),
        ("release of the idler", 61, {"deploy/idler.yaml": manifest(others[1])}),
    )
    diagnosis = diagnose(cluster, repository)
    best = diagnosis.best
    assert best is not None, diagnosis.summary
    return best.kind.value, best.culprit.subject if best.culprit else "none"


def released(*containers: Object, **spec: Any) -> Object:
    """The victim with its new image; a container of its own may be given."""
    return deployment("api", *(containers or (container(image=NEW),)), **spec)


def restarted(made: Object, *statuses: Object, **rest: Any) -> list[Object]:
    owner = replica_set(made, revision=2, age=60)
    return [made, owner, pod(owner, *statuses, age=60, **rest)]


def unplaced(made: Object, why: str) -> list[Object]:
    owner = replica_set(made, revision=2, age=60)
    return [made, owner, pending(owner, f"0/1 nodes are available: 1 {why}. preemption: no.")]


def account(name: str) -> Object:
    return thing("ServiceAccount", name)


def test_an_account_that_went_with_those_of_others() -> None:
    made = released(serviceAccountName="runner")
    owner = replica_set(made, revision=2, age=60)
    why = 'pods "api-x" is forbidden: error looking up service account shop/runner: serviceaccount "runner" not found'
    cluster = snapshot(made, owner, node(), events=[event(owner, "FailedCreate", f"Error creating: {why}")])
    before = [account("printer"), account("runner"), account("scanner")]
    assert culprit(cluster, made, before, [account("scanner")]) == ("missing_service_account", GUILTY)


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_a_key_that_was_renamed_in_the_object_that_is_read(kind: str) -> None:
    made = released(container(image=NEW, env=[key_ref("MODE", kind, "conf", "mode")]))
    now, before = (thing(kind, "conf", data={key: "YQ=="}) for key in ("modus", "mode"))
    said = waiting("CreateContainerConfigError", f"couldn't find key mode in {kind} shop/conf")
    cluster = snapshot(now, restarted(made, said), node())
    assert culprit(cluster, made, [before], [now]) == ("missing_key", GUILTY)


def test_a_map_that_was_cleared_away() -> None:
    made = released(container(image=NEW, envFrom=[{"configMapRef": {"name": "conf"}}]))
    said = waiting("CreateContainerConfigError", 'configmap "conf" not found')
    before = [config_map("conf", A="1"), config_map("rest", B="2")]
    assert culprit(snapshot(restarted(made, said), node(), before[1]), made, before, before[1:]) == (
        "missing_config_map",
        GUILTY,
    )


def test_a_storage_class_that_was_cleared_away() -> None:
    made, wanted = released(volumes=[mounts()]), claim(storage="fast")
    told = event(wanted, "ProvisioningFailed", 'storageclass.storage.k8s.io "fast" not found')
    slow, fast = (
        thing("StorageClass", name, api="storage.k8s.io/v1", namespace="", provisioner="csi")
        for name in ("slow", "fast")
    )
    cluster = snapshot(
        unplaced(made, "pod has unbound immediate PersistentVolumeClaims"), wanted, slow, node(), events=[told]
    )
    assert culprit(cluster, made, [slow, fast], [slow]) == ("storage_class_missing", GUILTY)


def test_a_rule_of_another_workload_that_keeps_everybody_off_its_node() -> None:
    terms = [{"labelSelector": {"matchLabels": {"app": "api"}}, "topologyKey": "kubernetes.io/hostname"}]
    rule = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    made, before, now = released(), deployment("ledger"), deployment("ledger", affinity=rule)
    guard = replica_set(now)
    cluster = snapshot(
        unplaced(made, "node(s) didn't satisfy existing pods anti-affinity rules"), now, guard, pod(guard), node()
    )
    assert culprit(cluster, made, [before], [now]) == ("pod_anti_affinity_conflict", GUILTY)


def test_a_policy_that_forgot_a_caller() -> None:
    made = released(container(image=NEW, env=env(DB_URL="postgres://db:5432/x")))
    db = workload("StatefulSet", "db", container(ports=[{"containerPort": 5432}]))

    def policy(*names: str) -> Object:
        peers = [{"podSelector": {"matchLabels": {"app": name}}} for name in names]
        spec = {"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"], "ingress": [{"from": peers}]}
        return thing("NetworkPolicy", "db", api="networking.k8s.io/v1", spec=spec)

    pods = restarted(made, looping(1))
    cluster = snapshot(
        pods,
        db,
        pod(db, name="db-0"),
        service("db", {"port": 5432, "targetPort": 5432, "protocol": "TCP"}),
        policy("idler"),
        node(),
        logs=[log(pods[-1], f"{ago(3)} dial tcp 10.96.0.9:5432: i/o timeout (db:5432)")],
    )
    assert culprit(cluster, made, [policy("api", "idler")], [policy("idler")]) == ("network_policy_blocks", GUILTY)


# --- volumes and disks


def claimed(phase: str) -> tuple[str, str, str]:
    """Kind, culprit and verdict where a claim was made anew and its volume still names the deleted one."""
    made, wanted = released(volumes=[mounts()]), claim(storage="manual", volumeName="nas")
    held = volume("nas", claimRef={"namespace": NAMESPACE, "name": "data", "uid": "of-the-old-one"})
    kept = {**held, "status": {"phase": phase}}
    told = event(wanted, "FailedBinding", 'volume "nas" already bound to a different claim.')
    waits = unplaced(made, "pod has unbound immediate PersistentVolumeClaims")
    plain = manifest(wanted)
    forced = plain.replace("  name: data\n", f"  name: data\n  annotations:\n    {FORCED}\n", 1)
    assert forced != plain
    repository = history(
        {"deploy/api.yaml": manifest(made), "deploy/data.yaml": plain},
        (GUILTY, 600, {"deploy/data.yaml": forced}),
        ("release of the victim", 62, {"deploy/api.yaml": manifest(made) + "# a word\n"}),
    )
    diagnosis = diagnose(snapshot(waits, wanted, kept, node(), events=[told]), repository)
    assert diagnosis.best is not None and diagnosis.best.culprit is not None, diagnosis.summary
    return diagnosis.best.kind.value, diagnosis.best.culprit.subject, diagnosis.verdict


def test_a_claim_that_each_sync_makes_anew_loses_its_volume_and_a_person_has_to_free_it() -> None:
    assert claimed("Released") == ("pv_already_bound", GUILTY, "needs_human")


def test_a_volume_that_is_not_given_back_waits_for_no_person() -> None:
    assert claimed("Bound") == ("pv_already_bound", GUILTY, "fix")


def full_disk(line: str) -> tuple[ClusterSnapshot, Object, Object, Object]:
    made = workload("StatefulSet", "db", container(image=NEW, ports=[{"containerPort": 5432}]), volumes=[mounts()])
    reader = container(env=env(SOURCE="postgres://db:5432/x"))
    before, now = deployment("stream", reader), deployment("stream", reader, replicas=0)
    child = pod(made, looping(1), name="db-0")
    cluster = snapshot(
        made,
        child,
        claim(phase="Bound"),
        service("db", {"port": 5432, "targetPort": 5432, "protocol": "TCP"}),
        now,
        node(),
        logs=[log(child, *[f"{ago(minute)} {line}" for minute in (9, 6, 3)])],
    )
    return cluster, made, before, now


def test_a_reader_that_was_stopped_fills_the_disk_that_keeps_its_backlog() -> None:
    line = 'FATAL:  could not write to file "pg_wal/xlogtemp.30": No space left on device'
    cluster, made, before, now = full_disk(line)
    assert culprit(cluster, made, [before], [now]) == ("disk_full", GUILTY)


def test_a_client_that_was_stopped_fills_no_disk_that_keeps_nothing_for_it() -> None:
    line = 'FATAL:  could not extend file "base/5/16384": No space left on device'
    cluster, made, before, now = full_disk(line)
    assert culprit(cluster, made, [before], [now]) == ("disk_full", "none")


# --- registries, networks, demand


@pytest.mark.parametrize(("former", "guilty"), [(OLD, "none"), ("hub.docker.io/api:1.0", "release of the victim")])
def test_only_another_registry_is_the_fault_of_a_release(former: str, guilty: str) -> None:
    made = released()
    lost = (
        'failed to do request: Head "https://registry.example/v2/api": dial tcp 10.0.0.9:443: connect: no route to host'
    )
    cluster = snapshot(restarted(made, waiting("ErrImagePull", lost)), node())
    repository = history(
        {"deploy/victim.yaml": manifest(made).replace(NEW, former)},
        ("release of the victim", 62, {"deploy/victim.yaml": manifest(made)}),
    )
    diagnosis = diagnose(cluster, repository)
    assert diagnosis.best is not None and diagnosis.best.kind.value == "registry_unreachable"
    assert (diagnosis.best.culprit.subject if diagnosis.best.culprit else "none") == guilty
    assert diagnosis.verdict == ("needs_human" if guilty == "none" else "fix")


def test_an_experiment_that_was_added_is_to_be_taken_away() -> None:
    spec = {
        "action": "delay",
        "mode": "all",
        "selector": {"labelSelectors": {"app": "api"}},
        "delay": {"latency": "1s"},
    }
    chaos = thing("NetworkChaos", "exercise", api="chaos-mesh.org/v1alpha1", spec=spec)
    made, paused = released(), config_map("rest", A="1")
    cluster = snapshot(restarted(made, running()), chaos, paused, node())
    assert culprit(cluster, made, [paused], [paused, chaos]) == ("network_delay", GUILTY)


def sized(cpu: str) -> Object:
    return released(container(image=NEW, resources={"limits": {"cpu": cpu}}))


@pytest.mark.parametrize(("former", "kind"), [("3", "cpu_saturation"), ("600m", "traffic_surge")])
def test_a_lowered_limit_is_guilty_when_the_demand_returns_that_the_former_one_met(former: str, kind: str) -> None:
    made = sized("600m")
    pods = restarted(made, running())
    series = [
        counter("http_requests_total", step(10, 70), app="api"),
        counter("container_cpu_usage_seconds_total", step(0.08, 0.59), pod="api-rev2-x1", container="app"),
        counter("container_cpu_cfs_periods_total", step(10, 10), pod="api-rev2-x1", container="app"),
        counter("container_cpu_cfs_throttled_periods_total", step(0.1, 9), pod="api-rev2-x1", container="app"),
        gauge("http_request_duration_seconds_p99", step(0.1, 4.0), app="api"),
    ]
    shown = snapshot(replica_set(sized(former), revision=1, replicas=0), pods, node())
    cluster = shown.model_copy(update={"metrics": tuple(series)})
    repository = history(
        {"deploy/api.yaml": manifest(sized(former)), "README.md": "One.\n"},
        (GUILTY, 3_000, {"deploy/api.yaml": manifest(made), "README.md": "Two.\n"}),
    )
    diagnosis = diagnose(cluster, repository)
    assert diagnosis.best is not None and diagnosis.best.kind.value == kind
    assert (diagnosis.best.culprit.subject if diagnosis.best.culprit else "") == (GUILTY if former == "3" else "")


def test_a_daemon_whose_affinity_no_node_meets_any_more() -> None:
    def daemon(*values: str) -> Object:
        terms = [{"matchExpressions": [{"key": name, "operator": "In", "values": ["yes"]} for name in values]}]
        rule = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
        status = {"desiredNumberScheduled": 0, "currentNumberScheduled": 0, "numberReady": 0}
        return workload("DaemonSet", "agent", affinity=rule, status=status, age=500_000)

    made = released(container(image=NEW, env=env(AGENT_URL="http://agent:80")))
    cluster = snapshot(restarted(made, running()), daemon("app", "kept"), service("agent"), node(labels={"app": "yes"}))
    assert culprit(cluster, made, [daemon("app")], [daemon("app", "kept")]) == ("node_affinity_mismatch", GUILTY)


# --- room, doors and labels


def test_a_neighbour_that_asks_for_the_room_of_everybody() -> None:
    made = released(container(image=NEW, resources={"requests": {"cpu": "1"}}))
    before, now = (
        workload("DaemonSet", "agent", container(resources={"requests": {"cpu": cpu}})) for cpu in ("100m", "3500m")
    )
    cluster = snapshot(unplaced(made, "Insufficient cpu"), now, pod(now), node(cpu="4"))
    assert culprit(cluster, made, [before], [now]) == ("insufficient_cpu", GUILTY)


def test_a_neighbour_that_eats_up_the_quota() -> None:
    made = released(container(image=NEW, resources={"requests": {"cpu": "1"}}))
    owner = replica_set(made, revision=2, age=60)
    asks = container(resources={"requests": {"cpu": "1"}})
    before, now = (deployment("batch", asks, replicas=number) for number in (1, 7))
    sets = replica_set(now, replicas=7)
    quota = thing("ResourceQuota", "team", spec={"hard": {"requests.cpu": "7"}}, status={"used": {"requests.cpu": "7"}})
    why = "exceeded quota: team, requested: requests.cpu=1, used: requests.cpu=7, limited: requests.cpu=7"
    told = event(owner, "FailedCreate", f'Error creating: pods "api-x" is forbidden: {why}')
    pods = [pod(sets, name=f"batch-{number}") for number in range(7)]
    cluster = snapshot(made, owner, now, sets, pods, quota, node(), events=[told])
    assert culprit(cluster, made, [before], [now]) == ("quota_exceeded", GUILTY)


def test_a_namespace_that_lost_the_label_by_which_a_policy_lets_it_in() -> None:
    made = released(container(image=NEW, env=env(DB_URL="postgres://db.data:5432/x")))
    db = workload("StatefulSet", "db", container(ports=[{"containerPort": 5432}]), namespace="data")
    peer = {"namespaceSelector": {"matchLabels": {"team": "shop"}}}
    spec = {"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"], "ingress": [{"from": [peer]}]}
    policy = thing("NetworkPolicy", "db", api="networking.k8s.io/v1", namespace="data", spec=spec)
    before, now = (
        thing("Namespace", NAMESPACE, namespace="", metadata={"labels": labels})
        for labels in ({"team": "shop"}, {"team": "store"})
    )
    pods = restarted(made, looping(1))
    cluster = snapshot(
        pods,
        db,
        pod(db, name="db-0", namespace="data"),
        service("db", {"port": 5432, "targetPort": 5432, "protocol": "TCP"}, namespace="data"),
        policy,
        now,
        node(),
        logs=[log(pods[-1], f"{ago(3)} dial tcp 10.96.0.9:5432: i/o timeout (db.data:5432)")],
    )
    assert culprit(cluster, made, [before], [now]) == ("network_policy_blocks", GUILTY)


def test_a_strategy_that_wants_two_pods_on_one_port_shows_at_the_next_release() -> None:
    wide = container(image=NEW, ports=[{"containerPort": 8080, "hostPort": 8080}])

    def rolling(surge: int, down: int) -> Object:
        way = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": down}}
        return released(wide, template={"strategy": way})

    made = rolling(1, 0)
    former = replica_set(released(container(image=OLD, ports=wide["ports"])), revision=1, age=9_000)
    owner = replica_set(made, revision=2, age=60)
    refused = pending(owner, "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.")
    repository = history(
        {"deploy/api.yaml": manifest(rolling(0, 1)).replace(NEW, OLD)},
        (GUILTY, 600, {"deploy/api.yaml": manifest(made).replace(NEW, OLD)}),
        ("release of the victim", 62, {"deploy/api.yaml": manifest(made)}),
    )
    best = diagnose(snapshot(made, former, pod(former), owner, refused, node()), repository).best
    assert best is not None and best.culprit is not None
    assert (best.kind.value, best.culprit.subject) == ("host_port_conflict", GUILTY)
