"""Writing an incident folder: the cluster's objects and logs as files, as ``kubectl`` would print them."""

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from sre_bot.domain.cluster import ClusterSnapshot, KubernetesObject, Series
from sre_bot.domain.errors import BadInput
from sre_bot.tools.incident_folder import INCIDENT_FILE

if TYPE_CHECKING:
    from yaml import SafeDumper as _SafeDumper
else:
    _SafeDumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

_PART = re.compile(r"[A-Za-z0-9][\w.-]{0,252}")
_DRAFT = "# Drafted from the bot's own diagnosis. Correct the ticket, and `expect` before anything is judged by it.\n"


def prepare(folder: Path) -> None:
    """Make the folder. Raises ``BadInput`` where there is something in it already."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{str(folder)!r} is there already; give --out a new folder")
    folder.mkdir(parents=True, exist_ok=True)


def write_cluster(folder: Path, snapshot: ClusterSnapshot) -> tuple[str, ...]:
    """Write ``cluster/``, ``logs/``, and ``metrics/`` where there are any. Returns what could not be written."""
    unwritten: list[str] = []
    for (namespace, kind), things in sorted(_grouped(snapshot).items()):
        if not _is_part(kind) or (namespace and not _is_part(namespace)):
            unwritten.append(f"{len(things)} objects whose kind or namespace is no name")
            continue
        listed = {"apiVersion": "v1", "kind": "List", "metadata": {}, "items": things}
        _put(folder / "cluster" / (namespace or "_cluster") / f"{kind.lower()}.yaml", _yaml(listed))
    for log in snapshot.logs:
        if not all(map(_is_part, (log.namespace, log.pod, log.container))):
            unwritten.append("a log whose pod or container has no name")
            continue
        suffix = ".previous.log" if log.previous else ".log"
        _put(folder / "logs" / log.namespace / log.pod / f"{log.container}{suffix}", log.text)
    if snapshot.metrics:
        _put(folder / "metrics" / "recorded.json", json.dumps(_matrix(snapshot.metrics)))
    return tuple(unwritten)


def _matrix(metrics: tuple[Series, ...]) -> dict[str, Any]:
    """Series as Prometheus answers a range query with them."""
    result = [
        {"metric": {"__name__": one.name, **one.labels}, "values": [[at, repr(value)] for at, value in one.points]}
        for one in metrics
    ]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}}


def write_description(folder: Path, described: dict[str, Any]) -> None:
    """Write ``incident.yaml``, as a draft."""
    _put(folder / INCIDENT_FILE, _DRAFT + _yaml(described))


def _grouped(snapshot: ClusterSnapshot) -> dict[tuple[str, str], list[KubernetesObject]]:
    groups: dict[tuple[str, str], list[KubernetesObject]] = defaultdict(list)
    for thing in (*snapshot.objects, *snapshot.events):
        groups[(thing["metadata"].get("namespace") or "", str(thing["kind"]))].append(thing)
    return groups


def _is_part(name: str) -> bool:
    """Whether a name from the cluster may be one of a file: nothing that leads elsewhere."""
    return _PART.fullmatch(name) is not None and ".." not in name


def _yaml(value: object) -> str:
    return yaml.dump(value, Dumper=_SafeDumper, allow_unicode=True, width=120)


def _put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode("utf-8", "replace"))
