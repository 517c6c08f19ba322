"""What add-ons of a healthy cluster look like, and faults of which no object that is hurt tells the cause."""

from typing import Any

import pytest

from sre_bot.detectors import detect
from sre_bot.domain.finding import FaultKind
from tests.clusters import (
    ago,
    app,
    container,
    deployment,
    ended,
    env,
    event,
    found,
    log,
    looping,
    only,
    pod,
    replica_set,
    service,
    snapshot,
    thing,
    waiting,
)

HTTP = container(ports=[{"containerPort": 80, "name": "http"}])
DNS = container(ports=[{"containerPort": 53, "name": "dns", "protocol": "TCP"}])
UDP = {"name": "dns", "port": 53, "targetPort": 53, "protocol": "UDP"}
TCP = {"name": "dns-tcp", "port": 53, "targetPort": 53, "protocol": "TCP"}
PORTS = ({"name": "http", "port": 80, "targetPort": 80}, {"name": "https", "port": 443, "targetPort": 443})


def test_a_port_that_nobody_uses_need_not_be_declared() -> None:
    assert (
        found(snapshot(app("front", HTTP), service("front", *PORTS), app("dns", DNS), service("dns", UDP, TCP))) == []
    )


def test_the_same_port_is_a_fault_once_somebody_calls_it() -> None:
    client = app("web", container(env=env(FRONT_URL="https://front:443")))
    cluster = snapshot(app("front", HTTP), service("front", *PORTS), client)
    assert only(cluster, FaultKind.SERVICE_PORT_MISMATCH).field == "spec.ports[1].targetPort"


def test_a_protocol_that_no_other_entry_makes_good_is_a_fault() -> None:
    assert only(snapshot(app("dns", DNS), service("dns", UDP)), FaultKind.SERVICE_PROTOCOL_MISMATCH).observed == "UDP"


def database(port: str, line: str) -> list[tuple[FaultKind, str]]:
    """A client of a headless database with that port in its configuration, and its log line."""
    server = app("db", container(ports=[{"containerPort": 5432}]))
    client = app("web", container(env=env(DB_HOST="db", DB_PORT=port)))
    headless = service("db", {"port": 5432, "targetPort": 5432}, ip="None")
    return found(snapshot(server, headless, client, logs=[log(client[-1], f"2026-03-10T11:59:00Z ERROR {line}")]))


def test_a_headless_service_answers_on_what_its_pods_serve_and_on_nothing_else() -> None:
    refused = 'connection to server at "db" (10.1.0.9), port 6432 failed: Connection refused'
    assert database("6432", refused) == [(FaultKind.DEPENDENCY_WRONG_PORT, "Deployment/shop/web")]
    assert database("6432", "slow query") == []


def webhook(replicas: int, ready: bool) -> list[tuple[FaultKind, str]]:
    """A refused rollout, and the webhook that refuses it by its silence."""
    said = (
        'Internal error occurred: failed calling webhook "inject.example": failed to call webhook: '
        'Post "https://injector.shop.svc:443/mutate?timeout=10s": no endpoints available for service "injector"'
    )
    server = deployment("injector", replicas=replicas)
    refused = deployment("web")
    owner = replica_set(refused)
    pods = [pod(server, ready=ready)] if replicas else []
    told = event(owner, "FailedCreate", f"Error creating: {said}")
    return found(snapshot(server, *pods, service("injector"), refused, owner, events=[told]))


def test_a_webhook_scaled_to_nothing_is_the_cause_of_what_it_refuses() -> None:
    assert (FaultKind.ZERO_REPLICAS, "Deployment/shop/injector") in webhook(0, ready=False)
    assert [kind for kind, _ in webhook(1, ready=True)] == [FaultKind.ADMISSION_DENIED]


def role(*verbs: str) -> list[Any]:
    """A role for jobs, bound to the account of a runner."""
    api = "rbac.authorization.k8s.io/v1"
    rules = [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": list(verbs)}]
    bound: dict[str, Any] = {
        "roleRef": {"kind": "Role", "name": "run"},
        "subjects": [{"kind": "ServiceAccount", "name": "runner"}],
    }
    return [thing("Role", "run", api=api, rules=rules), thing("RoleBinding", "run", api=api, **bound)]


def test_a_refusal_of_an_hour_ago_stands_as_long_as_the_role_still_refuses() -> None:
    runner = app("runner")
    denied = (
        '{"time": "2026-03-10T11:05:00Z", "level": "ERROR", "msg": "jobs.batch is forbidden: User '
        '\\"system:serviceaccount:shop:runner\\" cannot create resource \\"jobs\\" in API group \\"batch\\" in the '
        'namespace \\"shop\\""}'
    )
    logs = [log(runner[-1], *[denied] * 5, *[f"2026-03-10T11:{n}:00Z INFO tick" for n in range(10, 60)])]
    assert found(snapshot(runner, role("get", "list"), logs=logs)) == [(FaultKind.PERMISSION_DENIED, "Role/shop/run")]
    assert found(snapshot(runner, role("get", "create"), logs=logs)) == []


def ready_rollout(kind: str, spec: dict[str, Any], status: dict[str, Any]) -> list[tuple[FaultKind, str]]:
    """A workload whose pods are all ready, of two revisions."""
    template = {"spec": {"containers": [container()]}}
    whole = {"replicas": 3, "template": template, **spec}
    return found(snapshot(thing(kind, "ledger", api="apps/v1", spec=whole, status={"readyReplicas": 3, **status})))


@pytest.mark.parametrize(
    ("kind", "spec", "status"),
    [
        ("Deployment", {"minReadySeconds": 3600}, {"updatedReplicas": 1}),
        ("StatefulSet", {"updateStrategy": {"type": "OnDelete"}}, {"currentRevision": "a", "updateRevision": "b"}),
        (
            "StatefulSet",
            {"updateStrategy": {"rollingUpdate": {"partition": 2}}},
            {"updatedReplicas": 1, "currentRevision": "a", "updateRevision": "b"},
        ),
    ],
)
def test_a_rollout_that_its_own_strategy_holds_back_is_stuck(kind: str, spec: Any, status: Any) -> None:
    assert ready_rollout(kind, spec, status) == [(FaultKind.ROLLOUT_STUCK, f"{kind}/shop/ledger")]
    assert ready_rollout(kind, spec, {**status, "updatedReplicas": 3}) == []


def test_a_short_settling_time_holds_nothing_back() -> None:
    assert ready_rollout("Deployment", {"minReadySeconds": 30}, {"updatedReplicas": 1}) == []


def test_pods_evicted_again_and_again_for_their_own_limit_have_a_full_disk() -> None:
    made = deployment("render", volumes=[{"name": "tmp"}, {"name": "scratch", "emptyDir": {"sizeLimit": "2Gi"}}])
    said = 'Usage of EmptyDir volume "scratch" exceeds the limit "2Gi". '
    gone = [pod(made, name=f"render-{n}", phase="Failed", ready=False) for n in range(2)]
    for one in gone:
        one["status"] |= {"reason": "Evicted", "message": said}
        one["status"]["containerStatuses"] = [{"name": "app", "state": {"terminated": ended(137, minutes=50)}}]
    finding = only(snapshot(made, pod(made), gone), FaultKind.DISK_FULL)
    assert finding.field == "spec.template.spec.volumes[1].emptyDir.sizeLimit"
    assert found(snapshot(made, pod(made), gone[:1])) == []


def test_a_private_image_without_the_former_pull_secret_is_told_by_the_revision_before() -> None:
    before = deployment("labels", imagePullSecrets=[{"name": "harbor-pull"}])
    after = deployment("labels", serviceAccountName="labels")
    old, new = replica_set(before, replicas=0), replica_set(after, revision=2)
    said = "failed to authorize: 401 Unauthorized"
    denied = pod(new, waiting("ErrImagePull", said), ready=False, phase="Pending")
    finding = only(snapshot(after, old, new, denied), FaultKind.IMAGE_PULL_DENIED)
    assert (finding.field, finding.expected) == ("spec.template.spec.imagePullSecrets", "harbor-pull")
    still = thing("ServiceAccount", "labels", imagePullSecrets=[{"name": "harbor-pull"}])
    assert only(snapshot(after, old, new, denied, still), FaultKind.IMAGE_PULL_DENIED).field.endswith(".image")


def test_a_grpc_probe_on_the_metrics_port_has_the_wrong_port() -> None:
    ports = [{"containerPort": 9090, "name": "grpc"}, {"containerPort": 9102, "name": "metrics"}]
    made = deployment("matcher", container(ports=ports, readinessProbe={"grpc": {"port": 9102}}))
    ill = pod(made, {"name": "app", "ready": False, "restartCount": 0, "state": {"running": {"startedAt": ago(30)}}})
    said = 'Readiness probe failed: timeout: failed to connect service "10.1.0.9:9102" within 2s'
    finding = only(snapshot(made, ill, events=[event(ill, "Unhealthy", said)]), FaultKind.READINESS_PROBE_PORT)
    assert (finding.observed, finding.expected) == ("9102", "9090")


def test_a_name_that_the_error_does_not_tell_is_the_one_that_the_line_before_speaks_of() -> None:
    own = container(env=env(SIGNATURES_URL="http://mirror.platform/daily", OTLP_ENDPOINT="http://agent.tracing:4317"))
    scanner = app("scanner", own, status=[looping(1)])
    lines = ["INFO fetching http://mirror.platform/daily", "ERROR <urlopen error [Errno -2] Name or service not known>"]
    finding = only(snapshot(scanner, logs=[log(scanner[-1], *lines)]), FaultKind.DEPENDENCY_WRONG_ADDRESS)
    assert finding.observed == "mirror.platform"


def test_the_server_that_is_sent_the_alert_presents_the_certificate_of_which_others_complain() -> None:
    edge, docs = app("edge"), app("docs")
    alert = "SSL_do_handshake() failed (SSL: error: alert certificate expired:SSL alert number 45), client: 10.1.1.1"
    self_check = "self check https://api.example/v2/status: certificate has expired (CERT_HAS_EXPIRED)"
    told = [(edge, alert), (docs, self_check)]
    logs = [log(one[-1], *[f"2026-03-10T11:5{n}:00Z [error] {line}" for n in range(5)]) for one, line in told]
    finding = only(snapshot(edge, docs, logs=logs), FaultKind.CERTIFICATE_EXPIRED)
    assert str(finding.object) == "Deployment/shop/edge"
    assert [str(ref) for ref in finding.hurts] == ["Deployment/shop/docs"]
    alone = only(snapshot(edge, docs, logs=logs[1:]), FaultKind.CERTIFICATE_EXPIRED)
    assert str(alone.object) == "Deployment/shop/docs"


def test_a_policy_that_keeps_a_proxy_from_the_pods_own_addresses_is_found() -> None:
    server = app("rooms", container(ports=[{"containerPort": 8080}]))
    proxy = app("proxy", namespace="edge")
    line = '[error] upstream timed out (110: Operation timed out) while connecting, upstream: "http://10.1.0.9:8080/x"'
    rules = {
        "podSelector": {"matchLabels": {"app": "rooms"}},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": {}}]}],
    }
    policy = thing("NetworkPolicy", "rooms", api="networking.k8s.io/v1", spec=rules)
    proxy[-1]["status"]["podIP"] = "10.1.0.77"
    logs = [log(proxy[-1], *[f"2026/03/10 11:5{n}:00 {line}" for n in range(6)])]
    kinds = [(one.kind, str(one.object)) for one in detect(snapshot(server, proxy, policy, logs=logs))]
    assert (FaultKind.NETWORK_POLICY_BLOCKS, "NetworkPolicy/shop/rooms") in kinds
    assert found(snapshot(server, proxy, logs=logs)) == []
