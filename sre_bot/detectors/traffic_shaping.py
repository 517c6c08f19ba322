"""Traffic that somebody told to be slow: bandwidth annotations, injected faults, rate limits of proxies, netem.

Sources: the bandwidth plug-in's annotations
(https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/network-plugins/),
Istio's ``HTTPFaultInjection.Delay``, Chaos Mesh' ``NetworkChaos``, ``limit_rate`` of ngx_http_core_module, and
``tc-netem(8)``.
A limit by itself is a choice: it counts where somebody suffers from it, or where it was lowered to a fraction.
"""

import re
from collections.abc import Iterator
from datetime import datetime

from sre_bot.detectors.calls import clients, configurations
from sre_bot.detectors.fields import dig, mapping, mappings, quantity, text, texts
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.loglines import earliest
from sre_bot.detectors.measurements import Measure, byte_rates
from sre_bot.detectors.revisions import previous_revisions
from sre_bot.detectors.selectors import matches_labels
from sre_bot.detectors.sightings import seen_field, seen_in, seen_line, seen_setting
from sre_bot.detectors.trends import course, measure, seen_metric, slow
from sre_bot.detectors.troubles import Trouble, troubles
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

_BANDWIDTH = ("kubernetes.io/egress-bandwidth", "kubernetes.io/ingress-bandwidth")
_FULL = 0.7
_CUT = 4.0
_NARROW = 1_000_000.0
"""Below a megabit a second a page of a hundred kilobytes takes a second by itself."""

_SLOW = re.compile(
    r"\bslow\w*|timed? ?out|timeout|time-out|deadline exceeded|ETIMEDOUT|took \d{4,} ?ms|write_ms|upstream prematurely"
    r"|broken pipe|client (?:closed|disconnected|gone)|stall",
    re.IGNORECASE,
)
_OFTEN = 3
_NETEM = re.compile(r"\btc qdisc (?:add|replace|change)\b[^\n;&|]*\b(?:netem|tbf)\b[^\n;&|\"]*", re.IGNORECASE)
_NGINX = re.compile(r"^[^\S\n]*(limit_rate|proxy_limit_rate)\s+(\d+)([kKmM]?)\s*;", re.MULTILINE)


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge every workload's annotations, commands and proxy settings, then what injects faults."""
    for workload in index.workloads:
        yield from _annotated(index, workload)
        yield from _commanded(index, workload)
        yield from _proxied(index, workload)
    for route in index.of_kind("VirtualService"):
        yield from _delayed(index, route)
    for chaos in index.of_kind("NetworkChaos"):
        yield from _chaos(index, chaos)


def _annotated(index: ClusterIndex, workload: Workload) -> Iterator[Finding]:
    path = workload.field.rpartition(".spec")[0]
    found = mapping(workload.thing, *(path.split(".") if path else ()), "metadata", "annotations")
    before = mapping(index.once(previous_revisions).get(workload.ref), "spec", "template", "metadata", "annotations")
    for name in _BANDWIDTH:
        limit = quantity(str(found.get(name, "")))
        if not limit:
            continue
        former = quantity(str(before.get(name, ""))) if before else limit
        cut = former is None or former >= _CUT * limit
        full = _at_the_limit(index, workload, name, limit)
        told, since = _suffering(index, workload.ref)
        if full or (told and (cut or limit < _NARROW)):
            field = f'{path}.metadata.annotations["{name}"]'
            shown = (seen_field(workload.ref, field, found[name]), *full, *told)
            said = f"may use no more than {found[name]} bit/s"
            yield _finding(workload.ref, field, str(found[name]), said, shown, since)


def _at_the_limit(index: ClusterIndex, workload: Workload, name: str, limit: float) -> tuple[Evidence, ...]:
    """The rate of bytes of one of its pods, where that is most of what the annotation (in bits) lets through."""
    direction = "transmit" if "egress" in name else "receive"
    rates: dict[tuple[ObjectRef, str], Measure] = index.once(byte_rates)
    for pod in workload.pods:
        used = rates.get((pod.ref, direction))
        if used is not None and _FULL * limit <= 8 * used.last <= 1.3 * limit:
            return (seen_metric(used, f"of the {limit / 8:.3g} bytes a second that it may use"),)
    return ()


def _suffering(index: ClusterIndex, ref: ObjectRef) -> tuple[tuple[Evidence, ...], datetime | None]:
    """Slow answers that the workload or its clients log or are measured to give; nothing where none do."""
    near = {ref, *index.once(clients).get(ref, frozenset())}
    told: list[Trouble] = []
    for one in sorted(near, key=str):
        about = [line for line in index.once(troubles).get(one, ()) if _SLOW.search(line.line.text)]
        told += about if one == ref else [line for line in about if _names(ref, line.line.text)]
    if sum(one.line.count for one in told) >= _OFTEN:
        return tuple(seen_line(one.line) for one in told[-2:]), earliest(*(one.line.first for one in told))
    shown = (
        seen_metric(measured, f"it went {course(one)}", one.at)
        for who, signal, one in slow(index)
        if who == ref and (measured := measure(index, who, signal))
    )
    return tuple(shown)[:1], None


def _names(ref: ObjectRef, line: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(ref.name)}(?![\w-])", line) is not None


def _commanded(index: ClusterIndex, workload: Workload) -> Iterator[Finding]:
    """A container, often a privileged init container, that shapes the pod's own network device."""
    for setting in index.once(configurations)[workload.ref].settings:
        match = _NETEM.search(setting.value)
        if match and (".command[" in setting.field or ".args[" in setting.field):
            told, since = _suffering(index, workload.ref)
            said = f"shapes its own traffic with {match[0][:80]}"
            yield _finding(workload.ref, setting.field, match[0][:120], said, (seen_setting(setting), *told), since)


def _proxied(index: ClusterIndex, workload: Workload) -> Iterator[Finding]:
    """A proxy that passes on so many bytes a second and no more, while somebody waits."""
    for setting in index.once(configurations)[workload.ref].settings:
        match = _NGINX.search(setting.line)
        told, since = _suffering(index, workload.ref) if match else ((), None)
        if match and told:
            said = f"passes on no more than {match[2]}{match[3]} bytes a second ({match[1]})"
            shown = (seen_setting(setting), *told)
            yield _finding(setting.holder, setting.field, f"{match[2]}{match[3]}", said, shown, since, workload.ref)


def _delayed(index: ClusterIndex, route: KubernetesObject) -> Iterator[Finding]:
    """A route that delays requests on purpose."""
    for place, rule in enumerate(mappings(route, "spec", "http")):
        delay = text(rule, "fault", "delay", "fixedDelay")
        if delay:
            field, ref = f"spec.http[{place}].fault.delay.fixedDelay", ObjectRef.of(route)
            names = {host.split(".")[0] for host in texts(route, "spec", "hosts")}
            behind = [one.ref for one in index.workloads_in(ref.namespace) if one.ref.name in names]
            yield _finding(ref, field, delay, f"delays requests by {delay}", (seen_in(route, field),), None, *behind)


def _chaos(index: ClusterIndex, chaos: KubernetesObject) -> Iterator[Finding]:
    """An experiment under way that delays, loses or limits the traffic of the pods that it selects."""
    action, ref = text(chaos, "spec", "action"), ObjectRef.of(chaos)
    if action not in ("delay", "loss", "bandwidth", "corrupt", "duplicate", "netem") or dig(chaos, "spec", "pause"):
        return
    labels = {str(key): str(value) for key, value in mapping(chaos, "spec", "selector", "labelSelectors").items()}
    spaces = texts(chaos, "spec", "selector", "namespaces") or [ref.namespace]
    for workload in index.workloads:
        if workload.ref.namespace in spaces and labels and matches_labels(labels, workload.labels):
            shown = (seen_in(chaos, "spec.action"), seen_field(workload.ref, "metadata.name", workload.ref.name))
            yield _finding(workload.ref, "", action, f"is under the experiment {ref.name} ({action})", shown, None)


def _finding(
    ref: ObjectRef,
    field: str,
    observed: str,
    said: str,
    shown: tuple[Evidence, ...],
    since: datetime | None,
    *hurts: ObjectRef,
) -> Finding:
    return Finding(
        kind=FaultKind.NETWORK_DELAY,
        object=ref,
        field=field,
        observed=observed,
        expected="",
        message=f"{ref.name} {said}.",
        directness="inferred",
        evidence=shown,
        since=since,
        hurts=tuple(one for one in hurts if one != ref),
    )
