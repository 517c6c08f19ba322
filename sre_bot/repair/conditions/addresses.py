"""Addresses that programs are configured with: hosts that are Services, ports that they offer."""

import re
from typing import Any

from sre_bot.repair.conditions.objects import entries, find, part


def stands_in(word: str, text: str) -> bool:
    """Whether a host or number stands in a text by itself, not inside a longer name."""
    return re.search(rf"(?<![\w.-]){re.escape(word)}(?![\w-])(?!\.\w)", text) is not None


def wrong_address(
    objects: list[Any], kind: str, namespace: str, name: str, path: list[Any], wrong: str, services: bool
) -> list[str]:
    """Whether a setting still holds the wrong host, or names a Service that the tree does not have.

    ``services``: the tree holds the Services that are called, so an address inside the cluster must be one of them.
    """
    text = str(part(find(objects, kind, namespace, name), *path) or "")
    problems = [f"{kind} {name}: {path} still holds {wrong}"] if stands_in(wrong, text) else []
    if not services or "\n" in text.strip():
        return problems
    host = re.sub(r"^[\w+.-]+://(?:[^@/]*@)?", "", text.strip()).split("/")[0].split(":")[0]
    service, _, rest = host.partition(".")
    place = rest.split(".")[0] or namespace
    inside = not rest or rest.split(".")[1:] in ([], ["svc"], ["svc", "cluster", "local"])
    if inside and find(objects, "Service", place, service) is None:
        problems.append(f"{kind} {name}: {path} calls {host}, and there is no Service {service} in {place}")
    return problems


def refused_ports(objects: list[Any], kind: str, namespace: str, name: str, path: list[Any], wrong: str) -> list[str]:
    """Whether a setting still holds the wrong port, or asks a Service of the tree for a port that it does not offer."""
    text = str(part(find(objects, kind, namespace, name), *path) or "")
    problems = [f"{kind} {name}: {path} still holds {wrong}"] if stands_in(wrong, text) else []
    for service, port in re.findall(r"(?<![\w.-])([a-z][a-z0-9-]*)(?:\.[a-z0-9.-]+)?:(\d{1,5})\b", text):
        called = find(objects, "Service", namespace, service)
        offered = [entry.get("port") for entry in entries(called, "spec", "ports")]
        if offered and int(port) not in offered:
            problems.append(f"{kind} {name}: {path} calls {service}:{port}, which offers {offered}")
    return problems
