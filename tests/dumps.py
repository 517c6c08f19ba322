"""One recording written down in the shapes that people send: dumps of kubectl, and what tools gather."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.lab.recording import Recording


def one_yaml_list(recording: Recording, place: Path) -> Path:
    """``kubectl get … -A -o yaml`` in one file, and the logs beside it."""
    _put(place / "dump.yaml", yaml.safe_dump(_list(_everything(recording))))
    return _with_logs(recording, place, lambda log, which: f"logs/{log.namespace}/{log.pod}/{log.container}{which}.log")


def a_json_file_for_each_kind(recording: Recording, place: Path) -> Path:
    """``kubectl get KIND -A -o json`` again and again."""
    for kind, things in _grouped(_everything(recording), lambda thing: thing["kind"]).items():
        _put(place / f"{kind.lower()}s.json", json.dumps(_list(things)))
    return _with_logs(recording, place, lambda log, which: f"logs/{log.namespace}/{log.pod}/{log.container}{which}.log")


def documents_one_after_the_other(recording: Recording, place: Path) -> Path:
    """Objects as documents of one stream."""
    _put(place / "all.yml", yaml.safe_dump_all(_everything(recording)))
    return _with_logs(recording, place, lambda log, which: f"logs/{log.namespace}/{log.pod}/{log.container}{which}.log")


def cluster_info_dump(recording: Recording, place: Path) -> Path:
    """The tree of ``kubectl cluster-info dump -A --output-directory``, and the objects that it leaves out."""
    names = {"Pod": "pods", "Service": "services", "ReplicaSet": "replicasets", "Deployment": "deployments"}
    for (namespace, kind), things in _grouped(_everything(recording), _place_and_kind).items():
        file = f"{namespace}/{names.get(kind, kind.lower())}.json" if namespace else f"{kind.lower()}.json"
        api = things[0]["apiVersion"]
        items = [{key: value for key, value in thing.items() if key not in ("kind", "apiVersion")} for thing in things]
        _put(place / file, json.dumps({"kind": f"{kind}List", "apiVersion": api, "metadata": {}, "items": items}))
    for (namespace, pod), logs in _grouped(recording.logs, lambda log: (log.namespace, log.pod)).items():
        _put(place / namespace / pod / "logs.txt", "".join(_section(log) for log in logs if not log.previous))
    return place


def must_gather(recording: Recording, place: Path) -> Path:
    """The tree of ``oc adm must-gather``, below the folder of its image."""
    root = place / "quay-io-openshift-sha256-1f"
    for (namespace, kind), things in _grouped(_everything(recording), _place_and_kind).items():
        where = root / ("namespaces" if namespace else "cluster-scoped-resources") / namespace
        if namespace:
            _put(where / "core" / f"{kind.lower()}s.yaml", yaml.safe_dump(_list(things)))
            continue
        for thing in things:
            _put(where / "core" / f"{kind.lower()}s" / f"{thing['metadata']['name']}.yaml", yaml.safe_dump(thing))

    def file_of(log: Any, which: str) -> str:
        inner = f"{log.container}/{log.container}/logs/{'previous' if which else 'current'}.log"
        return f"{root.name}/namespaces/{log.namespace}/pods/{log.pod}/{inner}"

    return _with_logs(recording, place, file_of)


SHAPES: tuple[Callable[[Recording, Path], Path], ...] = (
    one_yaml_list,
    a_json_file_for_each_kind,
    documents_one_after_the_other,
    cluster_info_dump,
    must_gather,
)


def _everything(recording: Recording) -> list[KubernetesObject]:
    return [*recording.objects, *recording.events]


def _list(things: Iterable[KubernetesObject]) -> KubernetesObject:
    return {"apiVersion": "v1", "kind": "List", "metadata": {}, "items": list(things)}


def _place_and_kind(thing: KubernetesObject) -> tuple[str, str]:
    return thing["metadata"].get("namespace", ""), thing["kind"]


def _grouped(things: Iterable[Any], key: Callable[[Any], Any]) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = defaultdict(list)
    for thing in things:
        groups[key(thing)].append(thing)
    return groups


def _with_logs(recording: Recording, place: Path, file_of: Callable[[Any, str], str]) -> Path:
    for log in recording.logs:
        _put(place / file_of(log, ".previous" if log.previous else ""), log.text)
    return place


def _section(log: Any) -> str:
    name = f"logs for container {log.container} of pod {log.namespace}/{log.pod}"
    return f"==== START {name} ====\n{log.text}==== END {name} ====\n"


def _put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
