from typing import Any

import pytest

from sre_bot.domain.finding import FaultKind
from tests.clusters import app, container, event, found, only, snapshot, waiting

IMAGE = "registry.example/shop/api:2.0"
RESOLVE = f'failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}": '
HEAD = 'failed to do request: Head "https://registry.example/v2/shop/api/manifests/2.0": '


def pulling(message: str, image: str = IMAGE, reason: str = "ImagePullBackOff", **spec: Any):
    return app(
        "api",
        container(image=image),
        status=[waiting(reason, f'Back-off pulling image "{image}": ErrImagePull: {message}')],
        **spec,
    )


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (f"{RESOLVE}{IMAGE}: not found", FaultKind.IMAGE_NOT_FOUND),
        (
            "initializing source docker://x: reading manifest 2.0 in shop/api: manifest unknown",
            FaultKind.IMAGE_NOT_FOUND,
        ),
        ("no match for platform in manifest: not found", FaultKind.IMAGE_NOT_FOUND),
        (
            f"{RESOLVE}failed to authorize: failed to fetch oauth token: unexpected status from GET request to "
            f"https://registry.example/token: "
            "401 Unauthorized",
            FaultKind.IMAGE_PULL_DENIED,
        ),
        (
            f"{RESOLVE}pull access denied, repository does not exist or may require authorization: server message: "
            f"insufficient_scope: "
            "authorization failed",
            FaultKind.IMAGE_PULL_DENIED,
        ),
        (
            f"{RESOLVE}unexpected status from HEAD request to https://registry.example/v2/shop/api/manifests/2.0: "
            f"403 Forbidden",
            FaultKind.IMAGE_PULL_DENIED,
        ),
        (
            f"{RESOLVE}{HEAD}dial tcp: lookup registry.example on 10.0.0.2:53: no such host",
            FaultKind.REGISTRY_UNREACHABLE,
        ),
        (f"{RESOLVE}{HEAD}dial tcp 192.0.2.1:443: i/o timeout", FaultKind.REGISTRY_UNREACHABLE),
        (
            f"{RESOLVE}{HEAD}tls: failed to verify certificate: x509: certificate signed by unknown authority",
            FaultKind.REGISTRY_UNREACHABLE,
        ),
        (
            f"{RESOLVE}unexpected status from HEAD request to https://registry.example/v2/shop/api/manifests/2.0: "
            f"429 Too Many Requests",
            FaultKind.REGISTRY_UNREACHABLE,
        ),
    ],
)
def test_the_registrys_words_tell_absence_from_denial_from_silence(said: str, kind: FaultKind) -> None:
    finding = only(snapshot(pulling(said)), kind)
    assert (finding.field, finding.observed) == ("spec.template.spec.containers[0].image", IMAGE)


def test_the_decisive_event_may_be_older_than_the_newest() -> None:
    objects = app(
        "api", container(image=IMAGE), status=[waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}"')]
    )
    told = [
        event(
            objects[-1], "Failed", f'Failed to pull image "{IMAGE}": {RESOLVE}{IMAGE}: not found', minutes=9, part="app"
        ),
        event(objects[-1], "Failed", "Error: ImagePullBackOff", minutes=1, part="app"),
    ]
    assert found(snapshot(objects, events=told)) == [(FaultKind.IMAGE_NOT_FOUND, "Deployment/shop/api")]


def test_an_unknown_name_in_the_public_library_is_absent_and_not_private() -> None:
    image = "docker.io/library/ngnix:1.27"
    said = f"{image}: pull access denied, repository does not exist or may require authorization"
    assert found(snapshot(pulling(said, "ngnix:1.27"))) == [(FaultKind.IMAGE_NOT_FOUND, "Deployment/shop/api")]


def test_a_name_that_cannot_be_parsed_is_an_image_that_does_not_exist() -> None:
    assert (
        found(snapshot(pulling("couldn't parse image name", "Registry/API:2", reason="InvalidImageName")))[0][0]
        == FaultKind.IMAGE_NOT_FOUND
    )


def test_an_image_of_the_wrong_platform_shows_in_the_log() -> None:
    from tests.clusters import log, looping

    objects = app("api", status=[looping(1)])
    assert found(snapshot(objects, logs=[log(objects[-1], "exec /app/server: exec format error")])) == [
        (FaultKind.IMAGE_NOT_FOUND, "Deployment/shop/api")
    ]


def test_a_pulled_image_is_no_fault_though_an_old_event_says_that_it_failed() -> None:
    objects = app("api", container(image=IMAGE))
    told = event(objects[-1], "Failed", f'Failed to pull image "{IMAGE}": {RESOLVE}{IMAGE}: not found', minutes=50)
    assert found(snapshot(objects, events=[told])) == []
