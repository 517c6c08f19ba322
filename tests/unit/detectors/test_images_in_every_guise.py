from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.clusters import (
    Object,
    app,
    container,
    deployment,
    event,
    found,
    log,
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

IMAGE = "registry.example/team/api:9.9"
SPEC = container(image=IMAGE)
PULL = f'failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}": '
RPC = "rpc error: code = Unknown desc = "
HEAD = 'failed to do request: Head "https://registry.example/v2/team/api/manifests/9.9": '

ABSENT = [
    f"{PULL}{IMAGE}: not found",
    f"rpc error: code = NotFound desc = {PULL}{IMAGE}: not found",
    f"{RPC}Error response from daemon: manifest for {IMAGE} not found: manifest unknown: manifest unknown",
    f"{RPC}reading manifest 9.9 in registry.example/team/api: manifest unknown: manifest unknown",
    (
        f"{RPC}initializing source docker://{IMAGE}: reading manifest 9.9 in registry.example/team/api: name unknown: "
        f"repository not found"
    ),
    f'failed to pull and unpack image "{IMAGE}": no match for platform in manifest: not found',
    f'{RPC}choosing image instance: no image found in image index for architecture "arm64", variant "v8", OS "linux"',
    f"{RPC}no matching manifest for linux/arm64/v8 in the manifest list entries",
    f"{PULL}unexpected status from HEAD request to https://registry.example/v2/team/api/manifests/9.9: 404 Not Found",
    f"{RPC}manifest.unknown: Requested image not found, Check tag",
    f'{RPC}failed to resolve image: "{IMAGE}": not found',
]
DENIED = [
    (
        f"{PULL}failed to authorize: failed to fetch oauth token: unexpected status from GET request to "
        f"https://auth.example/token: 401 Unauthorized"
    ),
    f"{PULL}failed to authorize: failed to fetch anonymous token: unexpected status: 403 Forbidden",
    (
        f"{PULL}pull access denied, repository does not exist or may require authorization: server message: "
        f"insufficient_scope: authorization failed"
    ),
    f"{PULL}unexpected status from HEAD request to https://registry.example/v2/team/api/manifests/9.9: 403 Forbidden",
    f"{RPC}reading manifest 9.9 in registry.example/team/api: unauthorized: authentication required",
    f"{RPC}unable to retrieve auth token: invalid username/password: unauthorized: incorrect username or password",
    f'{RPC}Error response from daemon: Head "https://registry.example/v2/": no basic auth credentials',
    (
        f"{RPC}Error response from daemon: pull access denied for team/api, repository does not exist or may require "
        f"'docker login'"
    ),
    f"{RPC}reading manifest 9.9 in registry.example/team/api: requested access to the resource is denied",
    f"{PULL}pulling from host registry.example failed with status code [manifests 9.9]: 401 Unauthorized",
    (
        f"{PULL}failed to authorize: failed to fetch anonymous token: unexpected status from GET request to "
        f"https://auth.example/token: 403 Forbidden: DENIED"
    ),
    f'{RPC}Permission "artifactregistry.repositories.downloadArtifacts" denied on resource (or it may not exist)',
]
UNREACHED = [
    f"{PULL}{HEAD}dial tcp: lookup registry.example on 10.0.0.2:53: no such host",
    f"{PULL}{HEAD}dial tcp 10.9.8.7:443: i/o timeout",
    f"{PULL}{HEAD}dial tcp 10.9.8.7:443: connect: connection refused",
    f"{PULL}{HEAD}tls: failed to verify certificate: x509: certificate signed by unknown authority",
    f"{PULL}{HEAD}x509: certificate has expired or is not yet valid: current time is after",
    f"{PULL}{HEAD}http: server gave HTTP response to HTTPS client",
    f"{PULL}{HEAD}EOF",
    (
        f"{PULL}unexpected status from HEAD request to https://registry.example/v2/team/api/manifests/9.9: 503 Service "
        f"Unavailable"
    ),
    (
        f"{PULL}unexpected status from HEAD request to https://registry.example/v2/team/api/manifests/9.9: 429 Too "
        f"Many "
        f"Requests"
    ),
    f'{RPC}pinging container registry registry.example: Get "https://registry.example/v2/": dial tcp: i/o timeout',
    f"{RPC}initializing source docker://{IMAGE}: pinging container registry registry.example: no route to host",
    (
        f'{RPC}Error response from daemon: Get "https://registry.example/v2/": net/http: request canceled while '
        f"waiting "
        f"for connection (Client.Timeout exceeded while awaiting headers)"
    ),
    (
        f'failed to pull and unpack image "{IMAGE}": failed to copy: httpReadSeeker: failed open: failed to do '
        f"request: "
        f'Get "https://cdn.example/x": dial tcp: lookup cdn.example: server misbehaving'
    ),
    f"{PULL}{HEAD}proxyconnect tcp: dial tcp 10.0.0.3:3128: connect: connection refused",
    (
        f"{PULL}unexpected status from HEAD request to https://registry.example/v2/team/api/manifests/9.9: 500 "
        f"Internal "
        f"Server Error"
    ),
]
TABLE = [
    *((said, "image_not_found") for said in ABSENT),
    *((said, "image_pull_denied") for said in DENIED),
    *((said, "registry_unreachable") for said in UNREACHED),
]


def unpulled(said: str, reason: str = "ErrImagePull", **rest: Any) -> list[Object]:
    return pods_of("Deployment", SPEC, statuses=[waiting(reason, said)], made={"phase": "Pending"}, **rest)


@pytest.mark.parametrize(("said", "expected"), TABLE)
def test_every_runtimes_and_registrys_words_are_read_from_the_status(said: str, expected: str) -> None:
    assert named(unpulled(said), node()) == (expected, "Deployment/shop/api")


@pytest.mark.parametrize(("said", "expected"), TABLE)
def test_in_back_off_the_older_event_tells_what_the_status_no_longer_does(said: str, expected: str) -> None:
    objects = unpulled(f'Back-off pulling image "{IMAGE}"', "ImagePullBackOff")
    events = [
        event(objects[-1], "Failed", f'Failed to pull image "{IMAGE}": {said}', minutes=20, part="app"),
        event(objects[-1], "BackOff", f'Back-off pulling image "{IMAGE}"', minutes=1, warning=False, part="app"),
        event(objects[-1], "Failed", "Error: ImagePullBackOff", minutes=2, part="app"),
    ]
    assert named(objects, node(), events=events) == (expected, "Deployment/shop/api")


@pytest.mark.parametrize(("said", "expected"), TABLE[::4])
def test_in_back_off_newer_kubelets_repeat_the_reason(said: str, expected: str) -> None:
    objects = unpulled(f'Back-off pulling image "{IMAGE}": ErrImagePull: {said}', "ImagePullBackOff")
    assert named(objects, node()) == (expected, "Deployment/shop/api")


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet", "Pod"])
@pytest.mark.parametrize(("said", "expected"), [(ABSENT[0], "image_not_found"), (DENIED[0], "image_pull_denied")])
def test_whoever_owns_the_pod_its_image_is_judged(kind: str, said: str, expected: str) -> None:
    objects = pods_of(kind, SPEC, statuses=[waiting("ImagePullBackOff", said)], made={"phase": "Pending"})
    answered = answer(objects, node())
    assert (answered.kind, answered.object, answered.verdict) == (expected, f"{objects[0]['kind']}/shop/api", "fix")


@pytest.mark.parametrize("reason", ["InvalidImageName", "ErrImageNeverPull"])
def test_a_name_that_cannot_be_pulled_at_all_is_absent(reason: str) -> None:
    said = {
        "InvalidImageName": 'couldn\'t parse image name "Api:x y": invalid reference format',
        "ErrImageNeverPull": "Container image is not present with pull policy of Never",
    }
    assert named(unpulled(said[reason], reason), node()) == ("image_not_found", "Deployment/shop/api")


def test_the_image_of_an_init_container_and_of_a_sidecar_is_named_at_its_place() -> None:
    first = container("prepare", IMAGE)
    objects = pods_of(
        "Deployment",
        initContainers=[first],
        statuses=[waiting("PodInitializing")],
        made={"init": [waiting("ErrImagePull", ABSENT[0], "prepare")], "phase": "Pending"},
    )
    said = answer(objects, node())
    assert (said.kind, said.field) == ("image_not_found", "spec.template.spec.initContainers[0].image")
    beside = pods_of(
        "Deployment",
        container(),
        container("proxy", IMAGE),
        statuses=[running(), waiting("ErrImagePull", ABSENT[0], "proxy")],
    )
    assert answer(beside, node()).field == "spec.template.spec.containers[1].image"


def test_a_new_revision_whose_image_is_absent_counts_though_the_old_pods_serve() -> None:
    older, newer = deployment("api"), deployment("api", SPEC)
    former, latest = replica_set(older, revision=1), replica_set(newer, revision=2, age=30)
    broken = pod(latest, waiting("ImagePullBackOff", ABSENT[0]), name="api-rev2-x", phase="Pending")
    said = answer(newer, former, latest, pod(former, name="api-rev1-x"), broken, node(), before=[older])
    assert (said.kind, said.object, said.verdict, said.culprit) == (
        "image_not_found",
        "Deployment/shop/api",
        "fix",
        "change something",
    )


def test_a_pull_secret_that_does_not_exist_is_the_reason_of_a_denial() -> None:
    objects = unpulled(DENIED[0], imagePullSecrets=[{"name": "regcred"}])
    said = answer(objects, node(), thing("Secret", "other", data={}))
    assert (said.kind, said.observed) == ("image_pull_denied", "regcred")


@pytest.mark.parametrize("wanted", [True, False])
def test_an_ambiguous_name_is_private_without_a_pull_secret_and_absent_with_one(*, wanted: bool) -> None:
    spec: dict[str, Any] = {"imagePullSecrets": [{"name": "regcred"}]} if wanted else {}
    objects = unpulled(DENIED[2], **spec)
    assert named(objects, node(), thing("Secret", "regcred", data={}))[0] == (
        "image_not_found" if wanted else "image_pull_denied"
    )


def test_the_pull_secret_of_the_service_account_counts_as_the_pods_own() -> None:
    account = thing("ServiceAccount", "default", imagePullSecrets=[{"name": "regcred"}])
    assert named(unpulled(DENIED[2]), account, node(), thing("Secret", "regcred", data={}))[0] == "image_not_found"


@pytest.mark.parametrize(
    "line",
    [
        "exec /app/server: exec format error",
        "standard_init_linux.go:228: exec user process caused: exec format error",
        "/bin/sh: /app/server: cannot execute binary file: Exec format error",
    ],
)
def test_an_image_for_another_processor_is_absent_for_this_one(line: str) -> None:
    objects = pods_of("Deployment", SPEC, statuses=[looping(1)])
    assert named(objects, node(), logs=[log(objects[-1], line)]) == ("image_not_found", "Deployment/shop/api")


def test_a_pull_that_failed_once_and_went_through_is_no_fault() -> None:
    objects = app("api", SPEC)
    told = event(objects[-1], "Failed", f'Failed to pull image "{IMAGE}": {UNREACHED[1]}', minutes=8_999)
    harmless = event(
        objects[-1],
        "FailedToRetrieveImagePullSecret",
        "Unable to retrieve some image pull secrets (regcred); attempting to pull the image may not succeed.",
    )
    assert named(objects, node(), events=[told, harmless])[0] in ("healthy", "recovered")


def test_an_image_whose_signature_is_refused_is_denied() -> None:
    said = f"image pull failed for {IMAGE} because the signature validation failed: Source image rejected"
    assert named(unpulled(said, "SignatureValidationFailed"), node())[0] == "image_pull_denied"


@settings(max_examples=40, deadline=None)
@given(st.permutations(TABLE[::6]), st.booleans())
def test_the_order_of_pods_and_events_changes_nothing_and_a_pulled_image_is_no_fault(
    table: list[tuple[str, str]], well: bool
) -> None:
    objects = [
        app(f"a{TABLE.index(entry)}", SPEC, status=[running() if well else waiting("ErrImagePull", entry[0])])
        for entry in table
    ]
    events = [
        event(one[-1], "Failed", f'Failed to pull image "{IMAGE}": {said}', minutes=8_999)
        for one, (said, _) in zip(objects, table, strict=True)
    ]
    kinds = {object_: kind.value for kind, object_ in found(snapshot(objects, node(), events=events))}
    assert kinds == ({} if well else {f"Deployment/shop/a{TABLE.index(entry)}": entry[1] for entry in table})
