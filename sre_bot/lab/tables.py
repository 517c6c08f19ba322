"""The server side of ``kubectl get``: lists and objects as meta.k8s.io/v1 ``Table``."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.lab.cells import AGE, NAME, Cell, Column, json_path
from sre_bot.lab.cluster_columns import CLUSTER_COLUMNS
from sre_bot.lab.durations import age
from sre_bot.lab.kinds import Resource
from sre_bot.lab.network_columns import NETWORK_COLUMNS
from sre_bot.lab.workload_columns import WORKLOAD_COLUMNS

COLUMNS = {**WORKLOAD_COLUMNS, **NETWORK_COLUMNS, **CLUSTER_COLUMNS}


def columns_of(resource: Resource) -> tuple[Column, ...]:
    """A kind's columns: ours, those of its CRD, or name and age."""
    if resource.columns:
        return (NAME, *(_defined_column(column) for column in resource.columns))
    return COLUMNS.get((resource.group, resource.kind), (NAME, AGE))


def table(
    resource: Resource,
    things: Sequence[KubernetesObject],
    metadata: dict[str, Any],
    now: datetime,
    *,
    include: str = "Metadata",
    header: bool = True,
) -> dict[str, Any]:
    """A ``Table``. ``include`` is ``Metadata``, ``Object`` or ``None``: how much of each object comes with its row."""
    columns = columns_of(resource)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [column.definition for column in columns] if header else None,
        "rows": [_row(columns, thing, now, include) for thing in things],
    }


def partial(thing: KubernetesObject) -> dict[str, Any]:
    """The object's metadata alone."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": thing["metadata"]}


def _row(columns: tuple[Column, ...], thing: KubernetesObject, now: datetime, include: str) -> dict[str, Any]:
    row: dict[str, Any] = {"cells": [column.cell(thing, now) for column in columns]}
    if include != "None":
        row["object"] = thing if include == "Object" else partial(thing)
    return row


def _defined_column(column: dict[str, Any]) -> Column:
    def cell(thing: KubernetesObject, now: datetime) -> Cell:
        value = json_path(thing, column["jsonPath"])
        if column["type"] == "date":
            return age(value, now)
        return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)

    return Column(column["name"], cell, wide=column.get("priority", 0) > 0)
