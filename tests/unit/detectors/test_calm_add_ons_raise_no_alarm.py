"""Add-ons in the states in which every cluster has them: noisy, and well."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre_bot.domain.cluster import ContainerLog
from tests.clusters import (
    Object,
    ago,
    app,
    container,
    deployment,
    env,
    event,
    log,
    node,
    pod,
    replica_set,
    running,
    service,
    snapshot,
    thing,
)
from tests.diagnoses import diagnose
from tests.variants import cron_job, job

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"
LOGS: dict[str, tuple[str, ...]] = {
    "cert-manager/controller": (
        (
            f'E0310 11:58:00.1 1 controller.go:167] "re-queuing item due to error processing" err="Operation cannot be '
            f'fulfilled on certificates.cert-manager.io \\"web\\": {MODIFIED}"'
        ),
        'I0310 11:58:01.1 1 trigger_controller.go:215] "Certificate must be re-issued" reason="Renewing"',
    ),
    "cert-manager/cainjector": (
        (
            'E0310 11:58:00.1 1 sources.go:184] "unable to fetch certificate that owns the secret" '
            'err="Certificate.cert-manager.io \\"old\\" not found"'
        ),
    ),
    "metrics-server/metrics-server": (
        (
            'E0310 11:57:00.1 1 scraper.go:149] "Failed to scrape node" err="Get '
            '\\"https://10.0.0.4:10250/metrics/resource\\": context deadline exceeded" node="node-2"'
        ),
        'I0310 11:58:00.1 1 server.go:191] "Failed probe" probe="metric-storage-ready" err="no metrics to serve"',
    ),
    "external-dns/external-dns": (
        (
            'time="2026-03-10T11:50:00Z" level=error msg="Failed to do run once: soft error\\nrecords retrieval '
            "failed: "
            'Throttling: Rate exceeded"'
        ),
        'time="2026-03-10T11:58:00Z" level=info msg="All records are already up to date"',
    ),
    "ingress-nginx/controller": (
        'W0310 11:55:00.1 7 controller.go:1216] Service "shop/retired" does not have any active Endpoint.',
        (
            "2026/03/10 11:58:00 [warn] 31#31: *7 a client request body is buffered to a temporary file "
            "/tmp/nginx/client-body/7"
        ),
        (
            '10.2.0.1 - - [10/Mar/2026:11:58:02 +0000] "GET /.env HTTP/1.1" 404 146 "-" "curl/8.1" 77 0.000 [] [] '
            "- - - "
            "- 1"
        ),
        (
            "2026/03/10 11:58:03 [error] 31#31: *9 recv() failed (104: Connection reset by peer) while proxying "
            "upgraded "
            "connection"
        ),
    ),
    "monitoring/prometheus-operator": (
        (
            'level=warn ts=2026-03-10T11:58:00Z caller=operator.go:1 component=prometheusoperator msg="skipping '
            'servicemonitor" error="it accesses file system via bearer token file"'
        ),
    ),
    "monitoring/prometheus": (
        (
            'ts=2026-03-10T11:58:00Z caller=scrape.go:1741 level=warn component="scrape manager" msg="Error on '
            "ingesting "
            'out-of-order samples" num_dropped=3'
        ),
        (
            'ts=2026-03-10T11:58:30Z caller=manager.go:663 level=warn component="rule manager" msg="Evaluating rule '
            'failed" err="found duplicate series for the match group"'
        ),
    ),
    "monitoring/kube-state-metrics": (
        (
            "E0310 11:58:00.1 1 reflector.go:147] pkg/mod/k8s.io/client-go/tools/cache/reflector.go:229: Failed to "
            "watch "
            "*v1.Lease: the server is currently unable to handle the request"
        ),
    ),
    "argo-rollouts/argo-rollouts": (
        (
            f'time="2026-03-10T11:58:00Z" level=error msg="rollout syncHandler error: Operation cannot be fulfilled on '
            f'rollouts.argoproj.io \\"web\\": {MODIFIED}" namespace=shop rollout=web'
        ),
    ),
    "istio-system/istiod": (
        (
            '2026-03-10T11:58:00.1Z\twarn\tads\tADS: "10.1.0.9:34567" api-1.shop-3 terminated with stream: client '
            "cancelled"
        ),
        (
            "2026-03-10T11:58:02.1Z\tinfo\tdelta\tPush debounce stable[12] 1 for config Service/shop/api: 100.1ms "
            "since "
            "last change"
        ),
    ),
    "linkerd/proxy": (
        (
            "[    12.004s]  WARN ThreadId(01) outbound:proxy{addr=10.96.0.9:80}: linkerd_reconnect: Failed to connect "
            "error=connect timed out after 1s"
        ),
        "[    14.004s]  INFO ThreadId(01) outbound: linkerd_reconnect: Connected",
    ),
    "velero/velero": (
        (
            'time="2026-03-10T11:50:00Z" level=warning msg="active indexes [] deletion watermark 0001-01-01" '
            "logSource=kopia"
        ),
        'time="2026-03-10T11:58:00Z" level=info msg="BackupStorageLocation default is available"',
    ),
    "keda/keda-operator": (
        (
            "2026-03-10T11:58:00Z\tERROR\tReconciler "
            'error\t{"controller": "scaledobject", "error": "Operation cannot be fulfilled on scaledobjects.keda.sh '
            f'\\"mail\\": {MODIFIED}"}}'
        ),
    ),
    "kube-system/coredns": (
        "[ERROR] plugin/errors: 2 telemetry.example.com. A: read udp 10.1.0.2:41234->10.0.0.2:53: i/o timeout",
        '[INFO] 10.1.0.7:40000 - 3 "A IN api.shop.svc.cluster.local. udp 45 false 512" NOERROR qr,aa,rd 88 0.0001s',
    ),
    "kube-system/cluster-autoscaler": (
        "W0310 11:58:00.1 1 clusterstate.go:429] AcceptableRanges have not been populated yet. Skip checking",
        "I0310 11:58:01.1 1 static_autoscaler.go:598] No unschedulable pods",
    ),
    "kube-system/ebs-csi-controller": (
        (
            'E0310 11:50:00.1 1 controller.go:957] "error syncing volume" err="rpc error: code = Aborted desc = An '
            'operation with the given volume already exists"'
        ),
    ),
}
EVENTS = (
    (
        "DNSConfigForming",
        "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: shop.svc",
    ),
    ("PolicyViolation", "policy disallow-latest-tag/require-image-tag fail: An image tag is required."),
    (
        "TopologyAwareHintsDisabled",
        "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes",
    ),
    ("ProbeWarning", "Readiness probe warning: Probe terminated redirects, Response body: moved"),
    (
        "FailedToUpdateEndpoint",
        f'Failed to update endpoint shop/api: Operation cannot be fulfilled on endpoints "api": {MODIFIED}',
    ),
    (
        "CalculateExpectedPodCountFailed",
        'Failed to calculate the number of expected pods: found no controllers for pod "api"',
    ),
    (
        "FailedToRetrieveImagePullSecret",
        "Unable to retrieve some image pull secrets (old); attempting to pull the image may not succeed.",
    ),
)


def add_on(place: str) -> tuple[list[Object], ContainerLog]:
    namespace, name = place.split("/")
    objects = app(name, container("app", f"registry.example/{name}:1.0"), namespace=namespace)
    return objects, log(objects[-1], *[f"2026-03-10T11:5{n}:00Z info ordinary work" for n in range(9)], *LOGS[place])


def fleet() -> list[Object]:
    return [
        *app("api"),
        service("api"),
        *app("web", container(env=env(API_URL="http://api"))),
        node("node-1"),
        node("node-2"),
    ]


@pytest.mark.parametrize("place", LOGS)
def test_an_add_ons_ordinary_log_is_no_fault(place: str) -> None:
    objects, lines = add_on(place)
    diagnosis = diagnose(snapshot(fleet(), objects, logs=[lines]))
    assert diagnosis.verdict == "no_action", diagnosis.summary


def test_all_of_them_together_are_none_either() -> None:
    made = [add_on(place) for place in LOGS]
    diagnosis = diagnose(snapshot(fleet(), [objects for objects, _ in made], logs=[lines for _, lines in made]))
    assert diagnosis.verdict == "no_action", diagnosis.summary


@pytest.mark.parametrize(("reason", "message"), EVENTS)
def test_a_well_pods_ordinary_warning_is_no_fault(reason: str, message: str) -> None:
    objects = fleet()
    told = [event(one, reason, message, minutes=1) for one in (objects[0], objects[2])]
    assert diagnose(snapshot(objects, events=told)).verdict == "no_action"


def scaled_object(**spec: int) -> Object:
    return thing("ScaledObject", "mail", api="keda.sh/v1alpha1", spec={"scaleTargetRef": {"name": "mail"}, **spec})


def test_a_worker_that_keda_took_to_nothing_waits_for_work() -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "mail"}
    off = {
        "type": "ScalingActive",
        "status": "False",
        "reason": "ScalingDisabled",
        "message": "scaling is disabled",
        "lastTransitionTime": ago(90),
    }
    owner = [{"kind": "ScaledObject", "name": "mail", "controller": True}]
    hpa = thing(
        "HorizontalPodAutoscaler",
        "keda-hpa-mail",
        api="autoscaling/v2",
        metadata={"ownerReferences": owner},
        spec={"scaleTargetRef": target, "minReplicas": 1},
        status={"conditions": [off]},
    )
    caller = app("shop", container(env=env(MAIL_URL="http://mail")))
    objects = [deployment("mail", replicas=0), service("mail"), hpa, scaled_object(minReplicaCount=0), *caller]
    assert diagnose(snapshot(fleet(), objects)).verdict == "no_action"


def test_a_service_of_knatives_that_sleeps_is_no_fault() -> None:
    asleep = deployment("mail-00001", replicas=0)
    asleep["metadata"]["labels"] = {"serving.knative.dev/revision": "mail-00001"}
    caller = app("shop", container(env=env(MAIL_URL="http://mail-00001")))
    assert diagnose(snapshot(fleet(), asleep, service("mail-00001"), caller)).verdict == "no_action"


def test_a_rollout_of_argos_serves_for_the_deployment_that_it_took_over() -> None:
    rollout = {**deployment("mail", replicas=2), "kind": "Rollout", "apiVersion": "argoproj.io/v1alpha1"}
    owner = replica_set(rollout)
    emptied = deployment("mail", replicas=0)
    caller = app("shop", container(env=env(MAIL_URL="http://mail")))
    objects = [rollout, emptied, owner, pod(owner, name="mail-x"), service("mail"), *caller]
    assert diagnose(snapshot(fleet(), objects)).verdict == "no_action"


def test_the_finished_jobs_of_installations_are_no_fault() -> None:
    done = job("ingress-nginx-admission-create", status={"conditions": [{"type": "Complete", "status": "True"}]})
    state = {"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": ago(900)}}
    ended = {"name": "app", "ready": False, "restartCount": 0, "state": state}
    left = pod(done, ended, name="ingress-nginx-admission-create-x", phase="Succeeded", ready=False)
    assert diagnose(snapshot(fleet(), done, left, cron_job("backup"))).verdict == "no_action"


def test_a_mesh_sidecar_that_was_late_at_the_start_is_no_fault() -> None:
    proxy = container(
        "istio-proxy",
        "docker.io/istio/proxyv2:1.22.0",
        readinessProbe={"httpGet": {"path": "/healthz/ready", "port": 15021}},
    )
    objects = app("mail", container(), proxy, status=[running(), running("istio-proxy")])
    told = event(
        objects[-1],
        "Unhealthy",
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
        minutes=8_999,
        part="istio-proxy",
    )
    line = (
        "2026-03-10T11:40:00.1Z\twarning\tenvoy config\tStreamAggregatedResources gRPC config stream to xds-grpc "
        "closed: 14, upstream connect error"
    )
    lines = log(objects[-1], line, "2026-03-10T11:58:00.1Z\tinfo\tenvoy\tcds: add 4 cluster(s)", name="istio-proxy")
    assert diagnose(snapshot(fleet(), objects, events=[told], logs=[lines])).verdict == "no_action"


@settings(max_examples=25, deadline=None)
@given(st.sets(st.sampled_from(sorted(LOGS)), max_size=6), st.sets(st.sampled_from(EVENTS), max_size=4), st.randoms())
def test_no_mixture_of_ordinary_noise_is_a_fault(places: set[str], told: set[tuple[str, str]], chance: object) -> None:
    made = [add_on(place) for place in sorted(places)]
    objects = [*fleet(), *(one for chain, _ in made for one in chain)]
    events = [event(objects[2], reason, message) for reason, message in sorted(told)]
    chance.shuffle(objects)  # type: ignore[attr-defined]
    assert diagnose(snapshot(objects, events=events, logs=[lines for _, lines in made])).verdict == "no_action"
