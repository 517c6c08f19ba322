"""A snapshot from files instead of a cluster: an incident folder, a dump, a ``cluster-info dump``, a must-gather.

What a file is follows from what is in it and from where logs stand; whatever cannot be read is named in ``unseen``.
"""

from dataclasses import dataclass, field
from pathlib import Path

from sre_bot.domain.cluster import ClusterSnapshot, ContainerLog, KubernetesObject
from sre_bot.domain.errors import BadInput
from sre_bot.domain.redaction import redact
from sre_bot.tools.dump_clock import clock_of
from sre_bot.tools.dump_files import DumpFile, files_under
from sre_bot.tools.dump_logs import LogFile, holds_sections, log_file, sections, without_sections
from sre_bot.tools.dump_objects import Contents, contents_of
from sre_bot.tools.incident_folder import INCIDENT_FILE, IncidentFolder
from sre_bot.tools.log_choice import LogWish, choose
from sre_bot.tools.plain_data import printable
from sre_bot.tools.tidying import distinct, tidy

LARGEST_FILE = 128 * 1024 * 1024
LARGEST_YAML = 48 * 1024 * 1024
"""Bytes of one file; read as YAML it takes forty times as much memory, as JSON a tenth of that."""
MOST_BYTES = 512 * 1024 * 1024
"""Bytes of objects that are read of one folder."""
LOG_BYTES = 1024 * 1024
"""Bytes of one log that are kept, its newest."""
ALL_LOG_BYTES = 192 * 1024 * 1024
SYSTEM_NAMESPACES = ("kube-system", "kube-node-lease", "kube-public")
_DATA = (".yaml", ".yml", ".json", ".txt", "")
_EXPECTED = {
    "Pod": "pods",
    "Service": "services",
    "ConfigMap": "configmaps",
    "Secret": "secrets",
    "ServiceAccount": "serviceaccounts",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "PersistentVolume": "persistentvolumes",
    "StorageClass": "storageclasses",
    "IngressClass": "ingressclasses",
    "ReplicaSet": "replicasets",
    "Deployment": "deployments",
    "Node": "nodes",
    "Event": "events",
}
"""Kinds that a diagnosis misses; a dump that says nothing at all of one was made without asking for it."""


@dataclass(slots=True)
class _Gathered:
    objects: list[KubernetesObject] = field(default_factory=list[KubernetesObject])
    lists: set[str] = field(default_factory=set[str])
    files: list[LogFile] = field(default_factory=list[LogFile])
    texts: dict[LogWish, str] = field(default_factory=dict[LogWish, str])
    unseen: list[str] = field(default_factory=list[str])
    size: int = 0


def read_snapshot(path: Path, namespaces: tuple[str, ...] = ()) -> ClusterSnapshot:
    """The cluster that a file or folder describes; with ``namespaces`` only these, the system's, and what is global.

    Raises ``BadInput`` where there is nothing to diagnose, in words that say what to do.
    """
    if not path.exists():
        raise BadInput(f"{str(path)!r} does not exist")
    incident = IncidentFolder.at(path) if path.is_dir() else None
    if incident is None:
        _check_not_several(path)
    gathered = _Gathered()
    for root in _roots(path, incident):
        _gather(root, gathered)
    _check_anything(path, gathered)
    if incident is None:
        gathered.unseen += _absent(gathered)
    return _snapshot(gathered, incident, namespaces)


def _roots(path: Path, incident: IncidentFolder | None) -> tuple[Path, ...]:
    """The folder, or of an incident folder those parts that a cluster would have shown."""
    if incident is None:
        return (path,)
    return tuple(place for name in ("cluster", "logs") if (place := path / name).is_dir() and not place.is_symlink())


def _gather(root: Path, gathered: _Gathered) -> None:
    files = files_under(root, gathered.unseen) if root.is_dir() else [_single(root)]
    prefix = f"{root.name}/" if root.name in ("cluster", "logs") else ""
    for found in files:
        file = DumpFile(found.path, f"{prefix}{found.name}", found.size)
        if log := log_file(file):
            gathered.files.append(log)
        elif file.path.suffix in _DATA and file.size and not file.path.name.startswith("."):
            _gather_file(file, gathered)


def _single(file: Path) -> DumpFile:
    return DumpFile(file, file.name, file.stat().st_size if file.is_file() else 0)


def _gather_file(file: DumpFile, gathered: _Gathered) -> None:
    """Read one file that may hold objects, or the logs of a pod's containers."""
    limit = LARGEST_FILE if _is_json(file) else LARGEST_YAML
    if file.size > limit or gathered.size + file.size > MOST_BYTES:
        gathered.unseen.append(f"{_label(file)}: too large to be read ({file.size // 1024 // 1024} MiB); try JSON")
        return
    try:
        text = printable(file.read(LARGEST_FILE))
    except OSError as error:
        gathered.unseen.append(f"{_label(file)}: {error.strerror}")
        return
    gathered.size += file.size
    gathered.texts.update({wish: body for wish, body in sections(text) if body.strip()})
    if holds_sections(file) or (file.path.suffix in (".txt", "") and '"kind"' not in text and "kind:" not in text):
        return
    _add(contents_of(without_sections(text)), file, gathered)


def _is_json(file: DumpFile) -> bool:
    try:
        return file.read(100).lstrip()[:1] in (b"{", b"[")
    except OSError:
        return False


def _add(contents: Contents, file: DumpFile, gathered: _Gathered) -> None:
    gathered.objects += contents.objects
    gathered.lists |= contents.lists
    gathered.unseen += [f"{_label(file)}: {problem}" for problem in contents.problems[:3]]
    if len(contents.problems) > 3:
        gathered.unseen.append(f"{_label(file)}: {len(contents.problems) - 3} more problems")
    if contents.cut:
        gathered.unseen.append(f"{_label(file)}: {contents.cut} texts of more than a mebibyte were cut")


def _label(file: DumpFile) -> str:
    """The file's name; its stem in front, since that is often the resource that it holds."""
    return f"{file.path.stem} ({file.name})"


def _check_not_several(path: Path) -> None:
    inside = sorted(folder.parent.name for folder in path.glob(f"*/{INCIDENT_FILE}")) if path.is_dir() else []
    if inside:
        raise BadInput(f"{str(path)!r} holds {len(inside)} incident folders; name one of them, {inside[0]!r} say")


def _check_anything(path: Path, gathered: _Gathered) -> None:
    if gathered.objects:
        if not any(_is_live(thing) for thing in gathered.objects):
            raise BadInput(
                f"{str(path)!r} holds manifests as people write them, not objects as a cluster prints them; dump one "
                "with `kubectl get all,configmaps,secrets,events,nodes,pvc,pv -A -o yaml`"
            )
        return
    said = f" ({gathered.unseen[0]})" if gathered.unseen else ""
    raise BadInput(
        f"{str(path)!r} holds no Kubernetes objects{said}; what can be read is an incident folder, the output of "
        "`kubectl get … -o yaml|json`, the tree of `kubectl cluster-info dump --output-directory`, or a must-gather"
    )


def _is_live(thing: KubernetesObject) -> bool:
    return bool(thing["metadata"].get("uid") or thing["metadata"].get("creationTimestamp") or thing.get("status"))


def _absent(gathered: _Gathered) -> list[str]:
    """Kinds of which the dump says nothing at all: their absence from it means nothing."""
    seen = gathered.lists | {str(thing["kind"]) for thing in gathered.objects}
    missing = [f"{plural}: not in the dump" for kind, plural in _EXPECTED.items() if kind not in seen]
    return missing if gathered.files or gathered.texts else [*missing, "logs: not in the dump"]


def _snapshot(gathered: _Gathered, incident: IncidentFolder | None, namespaces: tuple[str, ...]) -> ClusterSnapshot:
    within = {*namespaces, *SYSTEM_NAMESPACES} if namespaces else None
    things = [thing for thing in distinct(gathered.objects) if within is None or _namespace(thing) in {*within, ""}]
    if incident is None:
        taken_at = clock_of(things)
    else:
        taken_at, gathered.unseen = incident.now, [*incident.unseen, *gathered.unseen]
    pods = tuple(thing for thing in things if thing["kind"] == "Pod")
    return ClusterSnapshot(
        taken_at=taken_at,
        namespaces=namespaces or namespaces_of(things),
        objects=tuple(tidy(thing) for thing in things if thing["kind"] != "Event"),
        events=tuple(tidy(thing) for thing in things if thing["kind"] == "Event"),
        logs=_logs(gathered, pods, within),
        unseen=tuple(dict.fromkeys(gathered.unseen)),
        metrics=incident.metrics(gathered.unseen) if incident and (incident.folder / "metrics").is_dir() else (),
    )


def namespaces_of(things: list[KubernetesObject]) -> tuple[str, ...]:
    """The namespaces that hold something, the system's own apart, sorted; the system's where there are no others."""
    found = {_namespace(thing) for thing in things if thing["kind"] != "Event"} - {""}
    return tuple(sorted(name for name in found if not name.startswith("kube-"))) or tuple(sorted(found))


def _namespace(thing: KubernetesObject) -> str:
    return thing["metadata"].get("namespace") or ""


def _logs(gathered: _Gathered, pods: tuple[KubernetesObject, ...], within: set[str] | None) -> tuple[ContainerLog, ...]:
    """The logs, most telling first until there is enough of them, then by name."""
    rank = {wish: place for place, wish in enumerate(choose(pods, len(gathered.files) + len(gathered.texts)))}
    sources = [(one.wish, one) for one in gathered.files] + [(wish, text) for wish, text in gathered.texts.items()]
    wanted = [source for source in sources if within is None or source[0].namespace in within]
    wanted.sort(key=lambda source: (rank.get(source[0], len(rank)), *_order(source[0])))
    logs: dict[LogWish, ContainerLog] = {}
    left = ALL_LOG_BYTES
    for wish, source in wanted:
        if left <= 0:
            gathered.unseen.append(f"logs of {len(wanted) - len(logs)} more containers: the first were enough")
            break
        log = _log(wish, source, gathered)
        if log is not None:
            logs[wish] = log
            left -= len(log.text)
    return tuple(logs[wish] for wish in sorted(logs, key=_order))


def _log(wish: LogWish, source: LogFile | str, gathered: _Gathered) -> ContainerLog | None:
    if isinstance(source, str):
        text, truncated = source[-LOG_BYTES:], len(source) > LOG_BYTES
    else:
        try:
            tail, truncated = source.file.tail(LOG_BYTES)
        except OSError as error:
            gathered.unseen.append(f"log of {wish.namespace}/{wish.pod}, container {wish.container}: {error.strerror}")
            return None
        text = tail.decode(errors="replace").replace("\0", "")
    return ContainerLog(
        namespace=wish.namespace,
        pod=wish.pod,
        container=wish.container,
        previous=wish.previous,
        text=redact(text),
        truncated=truncated,
    )


def _order(wish: LogWish) -> tuple[str, str, str, bool]:
    return wish.namespace, wish.pod, wish.container, wish.previous
