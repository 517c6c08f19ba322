"""Services that reach nobody, or the wrong pods, by their selector.

Kubernetes records no event for any of these
(https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/), so each rule compares the Service with the
pods that it should reach.
"""

from collections.abc import Iterator
from typing import Any

from sre_bot.detectors.addresses import has_selector, likeness
from sre_bot.detectors.calls import callers, selected_workloads
from sre_bot.detectors.endpoints import declares_ports, empty_endpoints, hurt_by, serves, target_of
from sre_bot.detectors.fields import mapping, mappings, step
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.sightings import seen_field
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import FaultKind, Finding


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
        evidence.append(seen_field(wanted.ref, f"{_labels_field(wanted)}", wanted.labels))
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


def _labels_field(workload: Workload) -> str:
    return (
        "metadata.labels" if workload.ref.kind == "Pod" else f"{workload.field.removesuffix('.spec')}.metadata.labels"
    )


def _stray_selector(
    index: ClusterIndex, service: KubernetesObject, workloads: tuple[Workload, ...]
) -> Iterator[Finding]:
    """A selector that matches pods, but not those of the workload that bears the Service's name and has its port."""
    ref, selector = ObjectRef.of(service), mapping(service, "spec", "selector")
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
    if wanted is None or any(
        wanted in selected_workloads(index, other) for other in index.of_kind("Service", ref.namespace)
    ):
        return
    wrong = _wrong_pairs(selector, wanted)
    single = len(wrong) == 1
    yield Finding(
        kind=FaultKind.SERVICE_SELECTOR_MISMATCH,
        object=ref,
        field=step("spec.selector", next(iter(wrong))) if single else "spec.selector",
        observed=_pairs(wrong, single=single),
        expected=_pairs({key: wanted.labels[key] for key in wrong if key in wanted.labels}, single=single),
        message=f"Service {ref.name} selects the pods of {strangers[0].ref.name}, which do not serve its port; "
        f"{wanted.ref.name} does.",
        directness="inferred",
        evidence=(
            seen_field(ref, "spec.selector", selector),
            seen_field(wanted.ref, _labels_field(wanted), wanted.labels),
        ),
        hurts=hurt_by(index, ref, (wanted,)),
    )
