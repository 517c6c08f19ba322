"""Service ports: the target is a port that the selected pods have."""

import difflib
from collections.abc import Iterator
from typing import Any

from sre_bot.domain.fix import Fix
from sre_bot.repair.case import Case
from sre_bot.repair.conditions.objects import entries, pods_selected, table
from sre_bot.repair.fields import field_text, with_value


def reachable_port(case: Case) -> Iterator[Fix]:
    """Every target that no selected pod has, pointed at the port that is meant; silent where that is ambiguous."""
    body = case.manifest.body
    pods = pods_selected(
        [manifest.body for manifest in case.manifests.objects],
        case.finding.object.namespace,
        table(body, "spec", "selector"),
    )
    ports = [port for pod in pods for one in entries(pod, "spec", "containers") for port in entries(one, "ports")]
    known = [port.get(name) for port in ports for name in ("name", "containerPort") if name in port]
    wanted, changed = body, list[str]()
    for index, entry in enumerate(entries(body, "spec", "ports")):
        target = entry.get("targetPort", entry.get("port"))
        if target in known:
            continue
        meant = _meant(entry, ports, case.finding.expected)
        if meant is None:
            return
        value = _in_form(target, meant)
        wanted = with_value(wanted, ("spec", "ports", index, "targetPort"), value)
        changed.append(f"{field_text(('spec', 'ports', index, 'targetPort'))} = {value}")
    if changed:
        yield _pointed(case, wanted, changed)


def _pointed(case: Case, wanted: Any, changed: list[str]) -> Fix:
    return case.fix(
        "reachable_port",
        ((case.manifest, wanted),),
        title=f"Send {case.label()} to a port that its pods have",
        explanation=f"{case.complaint} The containers that the Service selects declare the port; set "
        f"{', '.join(changed)}.",
        risk="Low: only where the Service sends its traffic changes.",
    )


def _meant(entry: dict[str, Any], ports: list[dict[str, Any]], expected: str) -> dict[str, Any] | None:
    """The one container port that a Service's port can mean."""
    protocol = entry.get("protocol", "TCP")
    fitting = [port for port in ports if port.get("protocol", "TCP") == protocol and "containerPort" in port]
    if len({str(port) for port in fitting}) == 1:
        return fitting[0]
    words = expected.replace(",", " ").replace("'", " ").split()
    groups = (
        [port for port in fitting if str(port.get("containerPort")) in words or port.get("name") in words],
        [port for port in fitting if entry.get("name") is not None and port.get("name") == entry.get("name")],
        [port for port in fitting if port.get("containerPort") == entry.get("port")],
        [port for port in fitting if _alike(entry.get("targetPort"), port.get("name"))],
    )
    return next((group[0] for group in groups if len(group) == 1), None)


def _alike(one: Any, other: Any) -> bool:
    return bool(difflib.get_close_matches(str(one), [str(other)], n=1, cutoff=0.6)) if one and other else False


def _in_form(target: Any, port: dict[str, Any]) -> Any:
    """A name where the Service used a name and the port has one, else its number."""
    return port["name"] if isinstance(target, str) and port.get("name") else port["containerPort"]
