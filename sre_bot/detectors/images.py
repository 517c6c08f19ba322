"""Images that cannot be pulled, by the registry's own words (https://kubernetes.io/docs/concepts/containers/images/).

The kubelet passes on what the container runtime (containerd, CRI-O) got from the registry: in the waiting state's
message, and in ``Failed`` events, of which the decisive one is often not the newest.
"""

import re
from collections.abc import Iterator
from typing import Literal

from sre_bot.detectors.fields import mappings, steps, text
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.pods import Container
from sre_bot.detectors.revisions import previous_revisions
from sre_bot.detectors.sightings import seen_event, seen_field, seen_waiting
from sre_bot.domain.finding import Evidence, FaultKind, Finding

WAITING = (
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
)

_UNREACHABLE = re.compile(
    r"no such host|i/o timeout|connection refused|x509:|tls:|HTTP response to HTTPS client|server misbehaving"
    r"|network is unreachable"
    r"|no route to host|registry is unavailable|context deadline exceeded|TLS handshake timeout|connection reset"
    r"|\b5\d\d (?:Internal|Bad Gateway|Service|Gateway)|toomanyrequests|too many requests|429 ",
    re.IGNORECASE,
)
_AMBIGUOUS = re.compile(
    r"does not exist or may require authorization|requested access to the resource is denied"
    r"|repository .{0,500}not found.{0,500}may require",
    re.I,
)
_DENIED = re.compile(
    r"unauthorized|authentication required|401 |403 |denied|failed to authorize|no basic auth credentials"
    r"|invalid username/password|signature (?:validation|verification) failed|rejected by policy"
    r"|failed to fetch (?:oauth|anonymous) token",
    re.IGNORECASE,
)
_ABSENT = re.compile(
    r"not found|manifest unknown|name unknown|no match for platform|no image found in image index"
    r"|couldn't parse image name"
    r"|invalid reference format|not present with pull policy of Never|no matching manifest",
    re.IGNORECASE,
)
_TELLS = re.compile(
    r'Back-off pulling image "[^"]*"|Error: (?:ImagePullBackOff|ErrImagePull)|(?:message|reason|waiting): ?'
    r"|ImagePullBackOff|ErrImagePull|[\n'\"]"
)
"""What the kubelet says of every image that it does not get, whatever the reason."""
Cause = Literal["absent", "denied", "unreachable"]
_KINDS: dict[str, FaultKind] = {
    "absent": FaultKind.IMAGE_NOT_FOUND,
    "denied": FaultKind.IMAGE_PULL_DENIED,
    "unreachable": FaultKind.REGISTRY_UNREACHABLE,
}
_SAYS = {
    "absent": "the registry has no such image",
    "denied": "the registry refuses access",
    "unreachable": "the registry cannot be reached",
}


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge every container that waits for its image."""
    for pod in index.current_pods:
        for container in pod.containers:
            if container.waiting in WAITING:
                yield _finding(index, container)


def _finding(index: ClusterIndex, container: Container) -> Finding:
    image = text(container.spec, "image")
    evidence = (*_said(index, container, image), seen_waiting(container))
    cause = _cause(index, container, [piece.excerpt for piece in evidence])
    field, observed, shown = (
        f"{container.field}.image",
        image,
        seen_field(container.workload, f"{container.field}.image", image),
    )
    missing = _missing_pull_secret(index, container)
    if cause == "denied" and missing:
        field, observed = f"{container.pod.field}.imagePullSecrets", missing
        shown = seen_field(container.workload, field, mappings(container.pod.spec, "imagePullSecrets"))
    elif cause == "denied" and (lost := _lost_pull_secret(index, container)):
        return _without_secret(container, image, lost, evidence)
    return Finding(
        kind=_KINDS[cause],
        object=container.workload,
        field=field,
        observed=observed,
        expected=_sibling_image(index, container, image) if observed == image else "",
        message=f"Image {image} of {container.workload.name} cannot be pulled: {_SAYS[cause]}"
        + (f", and pull secret {missing} does not exist." if observed == missing else "."),
        directness="stated",
        evidence=(*evidence, shown),
        since=container.pod.created,
        container=container.name,
    )


def _lost_pull_secret(index: ClusterIndex, container: Container) -> str:
    """The pull secret of the revision before, where the pod has none: neither its own nor its ServiceAccount's.

    https://kubernetes.io/docs/tasks/configure-pod-container/pull-image-private-registry/
    """
    account = index.get(
        "ServiceAccount", container.pod.ref.namespace, text(container.pod.spec, "serviceAccountName") or "default"
    )
    if mappings(container.pod.spec, "imagePullSecrets") or mappings(account, "imagePullSecrets"):
        return ""
    before = index.once(previous_revisions).get(container.workload)
    former = mappings(before, *steps(f"{container.pod.field}.imagePullSecrets")) if before else []
    return text(former[0], "name") if former else ""


def _without_secret(container: Container, image: str, lost: str, evidence: tuple[Evidence, ...]) -> Finding:
    field = f"{container.pod.field}.imagePullSecrets"
    return Finding(
        kind=FaultKind.IMAGE_PULL_DENIED,
        object=container.workload,
        field=field,
        observed=image,
        expected=lost,
        message=f"Image {image} of {container.workload.name} cannot be pulled: its pods have no pull secret any more; "
        f"the revision before had {lost}.",
        directness="stated",
        evidence=(*evidence, seen_field(container.workload, f"{container.field}.image", image)),
        since=container.pod.created,
        container=container.name,
    )


def _missing_pull_secret(index: ClusterIndex, container: Container) -> str:
    """A pull secret that the pod names and that the kubelet or the namespace does not have."""
    names = [text(entry, "name") for entry in mappings(container.pod.spec, "imagePullSecrets")]
    told = " ".join(
        e.message for e in index.events_of(container.pod.ref) if e.reason == "FailedToRetrieveImagePullSecret"
    )
    readable = bool(index.of_kind("Secret", container.pod.ref.namespace))
    absent = (name for name in names if readable and index.get("Secret", container.pod.ref.namespace, name) is None)
    return next((name for name in names if name in told), "") or next(absent, "")


def _said(index: ClusterIndex, container: Container, image: str) -> tuple[Evidence, ...]:
    reasons = ("Failed", "InspectFailed", "ErrImageNeverPull", "FailedToRetrieveImagePullSecret")
    events = [
        event
        for event in index.events_of(container.pod.ref)
        if event.reason in reasons
        and (image in event.message or "pull secret" in event.message)
        and event.speaks_of(container.name)
    ]
    return tuple(seen_event(event) for event in events[-3:])


def _cause(index: ClusterIndex, container: Container, said: list[str]) -> Cause:
    """Read the registry's words, the most telling first."""
    words = "\n".join(said)
    if container.waiting in ("InvalidImageName", "ErrImageNeverPull"):
        return "absent"
    if _AMBIGUOUS.search(words):
        return _absent_or_private(index, container)
    if _UNREACHABLE.search(words) and not re.search(r"manifest unknown|: not found", words):
        return "unreachable"
    if _DENIED.search(words):
        return "denied"
    if _ABSENT.search(words):
        return "absent"
    return "unreachable" if _TELLS.sub("", words).strip() else _untold(index, container)


def _untold(index: ClusterIndex, container: Container) -> Cause:
    """Only the back-off is left, the events have expired: a lost registry fails all that pull from it, a name only one.

    A pull secret that is not there tells of a refusal.
    """
    if _missing_pull_secret(index, container) or _lost_pull_secret(index, container):
        return "denied"
    host = _host(text(container.spec, "image"))
    waiting = {
        one.workload
        for pod in index.current_pods
        for one in pod.containers
        if one.waiting in WAITING and _host(text(one.spec, "image")) == host
    }
    return "unreachable" if len(waiting) > 1 else "absent"


def _host(image: str) -> str:
    first, slash, _ = image.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"


def _absent_or_private(index: ClusterIndex, container: Container) -> Cause:
    """Judge a name that "does not exist or may require authorization".

    The public library holds nothing private, and a pull secret that is there would open what is: both mean absence.
    """
    image = text(container.spec, "image").removeprefix("docker.io/")
    account = index.get(
        "ServiceAccount", container.pod.ref.namespace, text(container.pod.spec, "serviceAccountName") or "default"
    )
    named = mappings(container.pod.spec, "imagePullSecrets") or mappings(account, "imagePullSecrets")
    has_secret = bool(named) and not _missing_pull_secret(index, container)
    return "absent" if has_secret or "/" not in image.removeprefix("library/") else "denied"


def _sibling_image(index: ClusterIndex, container: Container, image: str) -> str:
    """An image of the same repository that another revision or workload runs well, empty where there is none."""
    repository = image.rsplit("@", 1)[0].rsplit(":", 1)[0]
    running = sorted(
        text(status, "image")
        for pod in index.pods
        if pod.ready and pod.ref.namespace == container.pod.ref.namespace
        for status in mappings(pod.spec, "containers")
        if text(status, "image") != image
        and text(status, "image").rsplit(":", 1)[0].endswith(repository.rsplit("/", 1)[-1])
    )
    return running[-1] if running else ""
