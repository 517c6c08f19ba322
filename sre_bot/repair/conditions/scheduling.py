"""Scheduling: what pods demand of nodes."""

from typing import Any

from sre_bot.repair.conditions.objects import find, pod_template, table


def unmet_demands(objects: list[Any], kind: str, namespace: str, name: str, labels: dict[str, str]) -> list[str]:
    """Node labels that a workload's pods demand although no node has them."""
    demanded = table(pod_template(find(objects, kind, namespace, name)), "spec", "nodeSelector")
    return [f"{kind} {name} demands nodes with {key}={value}, and there are none"
            for key, value in labels.items() if demanded.get(key) == value]  # fmt: skip
