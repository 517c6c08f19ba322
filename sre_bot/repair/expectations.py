"""What each kind of fault violates: the facts of one case for the condition of its kind."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from sre_bot.domain.finding import FaultKind
from sre_bot.repair.case import Case
from sre_bot.repair.conditions import addresses, scheduling, services, values, workloads
from sre_bot.repair.conditions.objects import containers, entries, part, pods_selected, table
from sre_bot.repair.fields import ABSENT, value_at
from sre_bot.repair.guards import Guard

Builder = Callable[[Case], Iterator[Guard]]


def expected_guards(case: Case) -> Iterator[Guard]:
    """The conditions that belong to the fault's kind. Raises ``NoSafeFix`` where the object is in no manifest."""
    builder = _BUILDERS.get(case.finding.kind)
    if builder is not None:
        yield from builder(case)


def _named(case: Case) -> dict[str, Any]:
    ref = case.manifest.ref
    return {"kind": ref.kind, "namespace": case.finding.object.namespace, "name": ref.name}


def _bodies(case: Case) -> list[Any]:
    return [manifest.body for manifest in case.manifests.objects]


def container_of(case: Case) -> str:
    """The container that the finding is about: named, in its field's path, or the only one; else empty."""
    if case.finding.container:
        return case.finding.container
    for depth, step in enumerate(case.field[:-1]):
        name = case.field[depth + 1]
        if step in ("containers", "initContainers") and isinstance(name, str):
            return name
    names = [str(one.get("name", "")) for one in entries(case.manifest.body, "spec", "template", "spec", "containers")]
    return names[0] if len(names) == 1 else ""


def _service(case: Case) -> dict[str, Any]:
    return {"service": case.manifest.ref.name, "namespace": case.finding.object.namespace}


def _service_ports(case: Case) -> Iterator[Guard]:
    selector = table(case.manifest.body, "spec", "selector")
    pods = pods_selected(_bodies(case), case.finding.object.namespace, selector)
    ports = [port for pod in pods for one in entries(pod, "spec", "containers") for port in entries(one, "ports")]
    seen = [int(number) for number in re.findall(r"\b\d{2,5}\b", case.finding.expected)]
    if pods and (ports or seen):
        facts = {**_service(case), "listening": [] if ports else seen}
        sentence = f"every port of Service {case.manifest.ref.name} ends at a port of its pods"
        yield Guard(services.unreachable_ports, facts, sentence)


def _selector(case: Case) -> Iterator[Guard]:
    if any(part(thing, "spec", "template") for thing in _bodies(case)):
        yield Guard(services.selects_nothing, _service(case), f"Service {case.manifest.ref.name} selects pods")


def _memory(case: Case) -> Iterator[Guard]:
    container = container_of(case)
    found = next((one for one in containers(case.manifest.body) if one.get("name") == container), None)
    limit = part(found, "resources", "limits", "memory")
    if limit is None:
        return
    facts = {**_named(case), "container": container, "killed_at": str(limit)}
    yield Guard(workloads.memory_too_small, facts, f"the memory of {container} suffices")


def _references(target: str) -> Builder:
    def build(case: Case) -> Iterator[Guard]:
        used = [str(name) for name, _ in workloads.references(case.manifest.body, target)]
        declared = [thing.ref.name for thing in case.manifests.of_kind(target)]
        text = f"{case.finding.observed} {case.complaint} {value_at(case.manifest.body, case.field)}"
        words = re.findall(r"[\w.-]+", text)
        absent = sorted({name for name in used if name in words and name not in declared})
        facts = {**_named(case), "target": target, "absent": absent}
        yield Guard(workloads.dangling_references, facts, f"what {case.label()} reads of {target}s exists")

    return build


def _keys(case: Case) -> Iterator[Guard]:
    yield from _references("ConfigMap")(case)
    yield from _references("Secret")(case)


def variables_of(case: Case) -> list[str]:
    """The variables that a finding may mean, the likeliest first: named in its field, expectation or message."""
    text = f"{case.finding.expected} {case.finding.field} {case.finding.message}"
    return list(dict.fromkeys(re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b|\b[A-Z]{3,}[A-Z0-9]*\b", text)))


def _variable(case: Case) -> Iterator[Guard]:
    for variable in variables_of(case):
        facts = {**_named(case), "container": container_of(case), "variable": variable}
        yield Guard(workloads.variable_missing, facts, f"{case.label()} sets {variable}")


def _is_one_address(case: Case) -> bool:
    """Whether the faulty field holds one value; in a longer text the changed lines tell more."""
    value = value_at(case.manifest.body, case.field) if case.field else ABSENT
    return bool(case.finding.observed) and isinstance(value, str | int) and "\n" not in str(value).strip()


def _address(case: Case) -> Iterator[Guard]:
    if not _is_one_address(case):
        return
    host = case.finding.expected.split(".")[0]
    services = any(one.ref.name == host for one in case.manifests.of_kind("Service")) if host else False
    facts = {**_named(case), "path": list(case.field), "wrong": case.finding.observed, "services": services}
    yield Guard(addresses.wrong_address, facts, f"{case.label()} calls a host that exists", telling=services)


def _port_called(case: Case) -> Iterator[Guard]:
    if _is_one_address(case):
        facts = {**_named(case), "path": list(case.field), "wrong": case.finding.observed}
        yield Guard(addresses.refused_ports, facts, f"{case.label()} calls a port that is offered", telling=False)


def _probe(probe: str) -> Builder:
    def build(case: Case) -> Iterator[Guard]:
        port = value_at(case.manifest.body, case.field)
        facts = {
            **_named(case),
            "probe": _probe_in(case, probe),
            "refused": [port] if isinstance(port, int | str) else [],
        }
        yield Guard(workloads.probe_misses, facts, f"the {probe} of {case.label()} asks a port of its container")

    return build


def _probe_in(case: Case, probe: str) -> str:
    return "startupProbe" if "startupProbe" in case.field else probe


def _node_labels(case: Case) -> Iterator[Guard]:
    selector = case.field[: case.field.index("nodeSelector") + 1] if "nodeSelector" in case.field else ()
    demanded = value_at(case.manifest.body, selector) if selector else ABSENT
    if not isinstance(demanded, dict):
        return
    named = {
        key: value
        for key, value in demanded.items()
        if key in (*case.field, case.finding.observed) or str(value) in case.finding.observed
    }
    facts = {**_named(case), "labels": named or demanded}
    yield Guard(scheduling.unmet_demands, facts, f"{case.label()} demands only labels that nodes have")


def _number(default: int) -> Builder:
    def build(case: Case) -> Iterator[Guard]:
        facts = {**_named(case), "path": ["spec", "replicas"], "least": 1, "default": default}
        yield Guard(values.below, facts, f"{case.label()} runs")

    return build


_BUILDERS: dict[FaultKind, Builder] = {
    FaultKind.SERVICE_PORT_MISMATCH: _service_ports,
    FaultKind.SERVICE_SELECTOR_MISMATCH: _selector,
    FaultKind.OOM_KILLED: _memory,
    FaultKind.MISSING_CONFIG_MAP: _references("ConfigMap"),
    FaultKind.MISSING_SECRET: _references("Secret"),
    FaultKind.MISSING_KEY: _keys,
    FaultKind.MISSING_ENV: _variable,
    FaultKind.DEPENDENCY_WRONG_ADDRESS: _address,
    FaultKind.DEPENDENCY_WRONG_PORT: _port_called,
    FaultKind.LIVENESS_PROBE_PORT: _probe("livenessProbe"),
    FaultKind.READINESS_PROBE_PORT: _probe("readinessProbe"),
    FaultKind.NODE_SELECTOR_MISMATCH: _node_labels,
    FaultKind.ZERO_REPLICAS: _number(1),
}
