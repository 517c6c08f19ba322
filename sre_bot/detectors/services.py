"""Services that reach nobody, or the wrong pods, by their selector.

Kubernetes records no event for any of these
(https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/), so each rule compares the Service with the
pods that it should reach.
"""

from collections.abc import Iterator
from typing import Any

from sre_bot.detectors.addresses import has_selector, likeness
from sre_bot.detectors.calls import callers, selected_workloads, selecting
from sre_bot.detectors.databases import refuses_writes
from sre_bot.detectors.endpoints import declares_ports, empty_endpoints, hurt_by, labels_field, serves, target_of
from sre_bot.detectors.fields import mapping, mappings, step
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.loglines import earliest
from sre_bot.detectors.selectors import matches_labels
from sre_bot.detectors.service_ports import failed_calls
from sre_bot.detectors.sightings import seen_field, seen_line
from sre_bot.detectors.troubles import troubles
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import FaultKind, Finding

_FOLLOWERS = ("replica", "secondary", "standby", "slave", "follower", "readonly", "read-only", "ro")
_LEADERS = ("primary", "master", "leader", "writer", "readwrite", "read-write", "rw")
_IDENTITIES = ("app", "name", "k8s-app", "run", "service", "instance")


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Compare every Service that has a selector with the workloads of its namespace."""
    for service in index.of_kind("Service"):
        if not has_selector(service):
            continue
        workloads = selected_workloads(index, service)
        if not workloads:
            yield from _selects_nobody(index, service)
            continue
        yield from _stray_selector(index, service, workloads)
        yield from _borrowed(index, service, workloads)
        yield from _too_wide(index, service, workloads)
        yield from _followers(index, service)


def _selects_nobody(index: ClusterIndex, service: KubernetesObject) -> Iterator[Finding]:
    """A selector must match the labels of the pod template, every pair of it (Service API, ``spec.selector``)."""
    ref, selector = ObjectRef.of(service), mapping(service, "spec", "selector")
    if not index.could_read("Pod", ref.namespace) or not index.workloads_in(ref.namespace):
        return
    wanted = _meant(index, service, selector)
    if wanted is None and not index.once(callers).get(ref):
        return
    wrong = _wrong_pairs(selector, wanted)
    field = step("spec.selector", next(iter(wrong))) if len(wrong) == 1 else "spec.selector"
    evidence = [seen_field(ref, "spec.selector", selector)]
    expected = ""
    if wanted is not None:
        evidence.append(seen_field(wanted.ref, f"{labels_field(wanted)}", wanted.labels))
        expected = _pairs({key: wanted.labels[key] for key in wrong if key in wanted.labels}, single=len(wrong) == 1)
    yield Finding(
        kind=FaultKind.SERVICE_SELECTOR_MISMATCH,
        object=ref,
        field=field,
        observed=_pairs(wrong, single=len(wrong) == 1),
        expected=expected,
        message=f"The selector of Service {ref.name} matches no pod"
        + (f"; the pods of {wanted.ref.name} carry other labels." if wanted else "."),
        directness="inferred",
        evidence=(*evidence, *empty_endpoints(index, ref)),
        hurts=hurt_by(index, ref, ()),
    )


def _meant(index: ClusterIndex, service: KubernetesObject, selector: dict[str, Any]) -> Workload | None:
    """The workload that a Service means: most shared pairs, then the right port, then the most alike name."""
    ref = ObjectRef.of(service)
    free = [one for one in index.workloads_in(ref.namespace) if one.labels and one.ref.kind not in ("Job", "CronJob")]
    ranked = sorted(
        ((_affinity(ref, service, selector, one), one) for one in free), key=lambda pair: (-pair[0], str(pair[1].ref))
    )
    return ranked[0][1] if ranked and ranked[0][0] >= 0.6 else None


def _affinity(ref: ObjectRef, service: KubernetesObject, selector: dict[str, Any], workload: Workload) -> float:
    pairs = sum(workload.labels.get(str(key)) == str(value) for key, value in selector.items())
    close = max(
        (likeness(str(value), workload.labels.get(str(key), "")) for key, value in selector.items()), default=0.0
    )
    ports = any(serves(workload, target_of(port)) for port in mappings(service, "spec", "ports"))
    return pairs / max(1, len(selector)) * 0.6 + close * 0.3 + likeness(ref.name, workload.ref.name) * 0.4 + ports * 0.2


def _wrong_pairs(selector: dict[str, Any], wanted: Workload | None) -> dict[str, str]:
    if wanted is None:
        return {str(key): str(value) for key, value in selector.items()}
    return {str(key): str(value) for key, value in selector.items() if wanted.labels.get(str(key)) != str(value)}


def _pairs(pairs: dict[str, str], *, single: bool) -> str:
    return (
        next(iter(pairs.values()), "")
        if single
        else ", ".join(f"{key}: {value}" for key, value in sorted(pairs.items()))
    )


def _stray_selector(
    index: ClusterIndex, service: KubernetesObject, workloads: tuple[Workload, ...]
) -> Iterator[Finding]:
    """A selector that matches pods, but not those of the workload that bears the Service's name and has its port."""
    ref = ObjectRef.of(service)
    ports = [target_of(port) for port in mappings(service, "spec", "ports")]
    strangers = [one for one in workloads if declares_ports(one) and not any(serves(one, port) for port in ports)]
    if len(strangers) != len(workloads):
        return
    rivals = [
        one for one in index.workloads_in(ref.namespace) if one not in workloads and any(serves(one, p) for p in ports)
    ]
    named = [
        one
        for one in rivals
        if likeness(ref.name, one.ref.name) > max(likeness(ref.name, s.ref.name) for s in strangers)
    ]
    wanted = min(named, key=lambda one: (-likeness(ref.name, one.ref.name), str(one.ref)), default=None)
    if wanted is None or wanted.ref in index.once(selecting):
        return
    yield _astray(
        index,
        service,
        wanted,
        f"Service {ref.name} selects the pods of {strangers[0].ref.name}, which do not serve its port; "
        f"{wanted.ref.name} does",
    )


def _astray(index: ClusterIndex, service: KubernetesObject, wanted: Workload, message: str) -> Finding:
    ref, selector = ObjectRef.of(service), mapping(service, "spec", "selector")
    wrong = _wrong_pairs(selector, wanted)
    single = len(wrong) == 1
    return Finding(
        kind=FaultKind.SERVICE_SELECTOR_MISMATCH,
        object=ref,
        field=step("spec.selector", next(iter(wrong))) if single else "spec.selector",
        observed=_pairs(wrong, single=single),
        expected=_pairs({key: wanted.labels[key] for key in wrong if key in wanted.labels}, single=single),
        message=f"{message}.",
        directness="inferred",
        evidence=(
            seen_field(ref, "spec.selector", selector),
            seen_field(wanted.ref, labels_field(wanted), wanted.labels),
        ),
        hurts=hurt_by(index, ref, (wanted,)),
    )


def _borrowed(index: ClusterIndex, service: KubernetesObject, workloads: tuple[Workload, ...]) -> Iterator[Finding]:
    """A selector that names another application, while the one that bears the Service's own name gets no traffic.

    Only labels that name an application count (https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/):
    a version or a track may be chosen at will. The others must have a Service of their own.
    """
    ref = ObjectRef.of(service)
    namesakes = index.workloads_named(ref.namespace, ref.name)
    wanted = next((one for one in namesakes if one.ready), None)
    others = index.once(selecting)
    if wanted is None or wanted in workloads or any(map(has_selector, others.get(wanted.ref, ()))):
        return
    wrong = _wrong_pairs(mapping(service, "spec", "selector"), wanted)
    if not wrong or not all(key.rsplit("/", 1)[-1] in _IDENTITIES and key in wanted.labels for key in wrong):
        return
    own = {one.ref: [s for s in others.get(one.ref, ()) if s is not service] for one in workloads}
    if all(any(ObjectRef.of(s).name == one.name and has_selector(s) for s in found) for one, found in own.items()):
        yield _astray(
            index,
            service,
            wanted,
            f"Service {ref.name} selects the pods of {workloads[0].ref.name}, which has a Service of its own; "
            f"{wanted.ref.name} gets no traffic",
        )


def _too_wide(index: ClusterIndex, service: KubernetesObject, workloads: tuple[Workload, ...]) -> Iterator[Finding]:
    """A selector that also matches pods which do not serve the numbered port, while some calls are refused."""
    ref, selector = ObjectRef.of(service), mapping(service, "spec", "selector")
    targets = [target for port in mappings(service, "spec", "ports") if (target := target_of(port)).isdecimal()]
    serving = [one for one in workloads if any(serves(one, target) for target in targets)]
    strangers = [one for one in workloads if one not in serving and one.ref.kind not in ("Job", "CronJob")]
    refused = [one for one in index.once(failed_calls).get(ref, ()) if one.failure.how in ("refused", "reset", "error")]
    if not serving or not strangers or not refused:
        return
    apart = {
        key: value
        for key, value in serving[0].labels.items()
        if all(one.labels.get(key) != value for one in strangers)
        and all(one.labels.get(key) == value for one in serving)
    }
    yield Finding(
        kind=FaultKind.SERVICE_SELECTOR_MISMATCH,
        object=ref,
        field="spec.selector",
        observed=_pairs({str(key): str(value) for key, value in selector.items()}, single=False),
        expected=_pairs(apart, single=False),
        message=f"Service {ref.name} also selects the pods of {strangers[0].ref.name}, which do not serve its port.",
        directness="inferred",
        evidence=(
            seen_field(ref, "spec.selector", selector),
            *(seen_field(one.ref, labels_field(one), one.labels) for one in (*serving[:1], *strangers[:1])),
            *(seen_line(one.trouble.line) for one in refused[-1:]),
        ),
        since=earliest(*(one.trouble.line.first for one in refused)),
        hurts=hurt_by(index, ref, ()),
    )


def _followers(index: ClusterIndex, service: KubernetesObject) -> Iterator[Finding]:
    """A selector that asks for the replicas of a database, where callers of this Service are refused writes.

    Operators label each pod with its role; the leader's label differs in that one value.
    """
    ref, selector = ObjectRef.of(service), mapping(service, "spec", "selector")
    for key, value in selector.items():
        if str(value).lower() not in _FOLLOWERS:
            continue
        rest = {name: wanted for name, wanted in selector.items() if name != key}
        pods = [
            pod for pod in index.current_pods if pod.ref.namespace == ref.namespace and matches_labels(rest, pod.labels)
        ]
        leader = next((pod for pod in pods if pod.labels.get(str(key), "").lower() in _LEADERS), None)
        told = [
            one
            for call in index.once(callers).get(ref, ())
            for one in index.once(troubles).get(call.workload.ref, ())
            if refuses_writes(one.line.text)
        ]
        if leader is None or not told:
            continue
        yield Finding(
            kind=FaultKind.SERVICE_SELECTOR_MISMATCH,
            object=ref,
            field=step("spec.selector", str(key)),
            observed=str(value),
            expected=leader.labels[str(key)],
            message=f"Service {ref.name} selects pods with {key}: {value}, which refuse writes; {leader.ref.name} "
            f"is the leader.",
            directness="inferred",
            evidence=(
                seen_field(ref, "spec.selector", selector),
                seen_field(leader.ref, "metadata.labels", leader.labels),
                seen_line(told[-1].line),
            ),
            since=earliest(*(one.line.first for one in told)),
            hurts=hurt_by(index, ref, ()),
        )
