"""Workloads: their memory, environment, probes and what they refer to."""

import re
from typing import Any

from sre_bot.repair.conditions.objects import containers, entries, find, part, pod_template, table


def amount(quantity: Any) -> float:
    """A Kubernetes quantity (``100m``, ``64Mi``, ``1e3``) in its basic unit; -1 for anything else."""
    match = re.fullmatch(r"([0-9.]+(?:[eE][0-9]+)?)([munkKMGTPE]i?)?", str(quantity))
    exponent = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
    power = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
    if match is None:
        return -1.0
    unit = match[2] or ""
    return float(match[1]) * (2.0 ** exponent[unit] if unit in exponent else 10.0 ** power.get(unit, 0))


def memory_too_small(
    objects: list[Any], kind: str, namespace: str, name: str, container: str, killed_at: str
) -> list[str]:
    """Whether the container's memory limit is one at which it was killed, or its request exceeds the limit."""
    found = [one for one in containers(find(objects, kind, namespace, name)) if one.get("name") == container]
    problems = [] if found else [f"{kind} {name} has no container {container}"]
    for one in found:
        limit, request = part(one, "resources", "limits", "memory"), part(one, "resources", "requests", "memory")
        if limit is not None and amount(limit) <= amount(killed_at):
            problems.append(f"{container} was killed at {killed_at} and is limited to {limit}")
        if limit is not None and request is not None and amount(request) > amount(limit):
            problems.append(f"{container} requests {request}, more than its limit of {limit}")
    return problems


def variable_missing(
    objects: list[Any], kind: str, namespace: str, name: str, container: str, variable: str
) -> list[str]:
    """Whether a container lacks an environment variable: neither its own, nor from a ConfigMap of the tree."""
    for one in containers(find(objects, kind, namespace, name)):
        if container and one.get("name") != container:
            continue
        if any(entry.get("name") == variable for entry in entries(one, "env")):
            return []
        for source in entries(one, "envFrom"):
            config = find(objects, "ConfigMap", namespace, part(source, "configMapRef", "name") or "")
            if variable in [f"{source.get('prefix', '')}{key}" for key in table(config, "data")]:
                return []
    return [f"{kind} {name} sets no {variable}"]


def references(thing: Any, kind: str) -> list[tuple[Any, Any]]:
    """What a workload's pods read of ConfigMaps or Secrets: names and keys; the key is None for all of them."""
    in_env, in_volume, names = ("configMapKeyRef", "configMap", "name"), ("configMap", "configMapRef", "name"), "name"
    if kind == "Secret":
        in_env, in_volume, names = ("secretKeyRef", "secret", "name"), ("secret", "secretRef", "name"), "secretName"
    found: list[tuple[Any, Any]] = []
    for one in containers(thing):
        for entry in entries(one, "env"):
            used = table(entry, "valueFrom", in_env[0])
            if used and not used.get("optional"):
                found.append((used.get("name"), used.get("key")))
        for source in entries(one, "envFrom"):
            used = table(source, in_volume[1])
            if used and not used.get("optional"):
                found.append((used.get("name"), None))
    for volume in entries(pod_template(thing), "spec", "volumes"):
        sources = [volume, *entries(volume, "projected", "sources")]
        for used in [table(source, in_volume[0]) for source in sources if table(source, in_volume[0])]:
            held = used.get(names) or used.get("name")
            keys = [item.get("key") for item in entries(used, "items")] or [None]
            found += [(held, key) for key in keys if not used.get("optional")]
    return found


def dangling_references(
    objects: list[Any], kind: str, namespace: str, name: str, target: str, absent: list[str]
) -> list[str]:
    """References of a workload to ConfigMaps or Secrets (``target``) or keys of them that are not there.

    ``absent`` are names that the cluster was seen to lack; one that the tree declares is there again. What the tree
    does not declare and the cluster was not seen to lack is taken to exist.
    """
    problems: list[str] = []
    for used, key in references(find(objects, kind, namespace, name), target):
        thing = find(objects, target, namespace, used)
        keys = {**table(thing, "data"), **table(thing, "stringData"), **table(thing, "binaryData")}
        if thing is None and used in absent:
            problems.append(f"{kind} {name} refers to {target} {used}, which does not exist")
        if thing is not None and key is not None and key not in keys:
            problems.append(f"{kind} {name} reads the key {key} of {target} {used}, which has only {sorted(keys)}")
    return problems


def probe_misses(objects: list[Any], kind: str, namespace: str, name: str, probe: str, refused: list[Any]) -> list[str]:
    """Whether a probe (``livenessProbe`` …) asks a port that its container does not have, or one seen to refuse."""
    problems: list[str] = []
    for one in containers(find(objects, kind, namespace, name)):
        handler = table(one, probe)
        port = next((part(handler, how, "port") for how in ("httpGet", "tcpSocket", "grpc") if how in handler), None)
        ports = entries(one, "ports")
        known = [entry.get("containerPort") for entry in ports] + [entry.get("name") for entry in ports]
        if port is not None and (port in refused or (ports and port not in known)):
            problems.append(f"the {probe} of {one.get('name')} asks port {port}, its ports are {known}")
    return problems
