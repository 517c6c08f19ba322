"""Services: they select pods, and their ports end at ports that those pods have."""

from typing import Any

from sre_bot.repair.conditions.objects import entries, find, pods_selected, table


def unreachable_ports(objects: list[Any], service: str, namespace: str, listening: list[int]) -> list[str]:
    """Ports of the Service that end nowhere: no selected pod names or declares the target.

    ``listening`` adds ports that a container was seen to listen on without declaring them.
    """
    thing = find(objects, "Service", namespace, service)
    pods = pods_selected(objects, namespace, table(thing, "spec", "selector"))
    ports = [port for pod in pods for one in entries(pod, "spec", "containers") for port in entries(one, "ports")]
    known = [*listening, *(port.get(name) for port in ports for name in ("name", "containerPort") if name in port)]
    wanted = [port.get("targetPort", port.get("port")) for port in entries(thing, "spec", "ports")]
    if not wanted:
        return [f"there is no Service {service} with ports"]
    return [f"Service {service} sends to {target!r}, but its pods have only {known}"
            for target in wanted if target not in known]  # fmt: skip


def selects_nothing(objects: list[Any], service: str, namespace: str) -> list[str]:
    """Whether the Service's selector fits the pods of no workload."""
    selector = table(find(objects, "Service", namespace, service), "spec", "selector")
    if pods_selected(objects, namespace, selector):
        return []
    return [f"Service {service} selects {selector}, and no workload makes pods with these labels"]
