"""A recorded incident: one folder, read once, checked at the door."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sre_bot.domain.cluster import ContainerLog, KubernetesObject
from sre_bot.domain.errors import BadRecording

if TYPE_CHECKING:
    from yaml import SafeLoader as _SafeLoader
else:
    _SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML may have been built without libyaml

VERBS = ("equals", "in", "matches", "at_least", "at_most", "exists", "absent")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class RecordedTicket(_Part):
    """What a person wrote."""

    key: str
    summary: str
    description: str = ""
    priority: str = "High"
    created: datetime | None = None
    labels: tuple[str, ...] = ()


class RecordedRepository(_Part):
    """The GitOps repository."""

    name: str
    branch: str = "main"


class RecordedApplication(_Part):
    """The Argo CD application that deploys it."""

    application: str
    path: str
    namespace: str


class Cause(_Part):
    """One right answer; ``object`` is a pattern or a list of patterns, ``kind_also`` an equally right kind."""

    kind: str
    object: str | tuple[str, ...] = ()
    kind_also: tuple[str, ...] = ()


class Condition(_Part):
    """One condition on a deployed tree: an object's value, or a program."""

    command: str | None = None
    file: str | None = None
    object: str | None = None
    path: str | None = None
    rule: dict[str, Any] = Field(default_factory=dict[str, Any])

    @classmethod
    def read(cls, raw: dict[str, Any]) -> Self:
        """Split a condition of ``incident.yaml`` into where it looks and what it asks."""
        return cls(**{name: raw.get(name) for name in ("command", "file", "object", "path")}, rule=cls._rule(raw))

    @staticmethod
    def _rule(raw: dict[str, Any]) -> dict[str, Any]:
        return {verb: raw[verb] for verb in VERBS if verb in raw}


class Expectation(_Part):
    """What is right. Never served over the wire."""

    verdict: str
    root_cause: tuple[Cause, ...] = ()
    culprit: str = "none"
    decoys: tuple[str, ...] = ()
    heals_when: tuple[dict[str, Any], ...] = ()
    harms_when: tuple[dict[str, Any], ...] = ()
    after: str | None = None


class IncidentFile(_Part):
    """``incident.yaml``."""

    id: str
    now: datetime
    ticket: RecordedTicket
    repository: RecordedRepository | None = None
    argocd: RecordedApplication | None = None
    expect: Expectation


class Recording(_Part):
    """One incident folder in memory. ``objects`` holds no Events."""

    folder: Path
    incident: IncidentFile
    objects: tuple[KubernetesObject, ...]
    events: tuple[KubernetesObject, ...]
    logs: tuple[ContainerLog, ...]

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a folder. Raises ``BadRecording`` that names the file and what is wrong with it."""
        folder = folder.absolute()
        if not (folder / "incident.yaml").is_file():
            raise BadRecording(f"{folder} is no incident folder: it has no incident.yaml")
        try:
            incident = IncidentFile.model_validate(yaml.safe_load((folder / "incident.yaml").read_text()))
        except (ValidationError, yaml.YAMLError, UnicodeDecodeError) as error:
            raise BadRecording(f"{folder / 'incident.yaml'}: {_complaint(error)}") from error
        things = [thing for file in _data_files(folder / "cluster") for thing in read_objects(file)]
        return cls(
            folder=folder,
            incident=incident,
            objects=tuple(thing for thing in things if thing["kind"] != "Event"),
            events=tuple(thing for thing in things if thing["kind"] == "Event"),
            logs=tuple(_logs(folder / "logs")),
        )

    @property
    def now(self) -> datetime:
        """The incident's clock when the lab starts, aware, in UTC."""
        now = self.incident.now
        return now.replace(tzinfo=UTC) if now.tzinfo is None else now.astimezone(UTC)

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces that hold workloads, system namespaces apart, sorted."""
        found = {(thing.get("metadata") or {}).get("namespace", "") for thing in self.objects}
        return tuple(sorted(name for name in found if name and not name.startswith("kube-")))


def read_objects(file: Path) -> list[KubernetesObject]:
    """All objects of a YAML or JSON file; Lists are flattened, kinds filled in. Raises ``BadRecording``."""
    try:
        text = file.read_text()
        documents = [json.loads(text)] if file.suffix == ".json" else list(yaml.load_all(text, Loader=PlainLoader))
    except (json.JSONDecodeError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadRecording(f"{file}: {_complaint(error)}") from error
    return [thing for document in documents if document for thing in _flattened(document, file)]


def _flattened(document: Any, file: Path) -> list[KubernetesObject]:
    if not isinstance(document, dict) or "kind" not in document:
        raise BadRecording(f"{file}: holds something that is no Kubernetes object")
    kind = str(document["kind"])
    if not kind.endswith("List") or "items" not in document:
        return [document]
    item_kind = kind.removesuffix("List")
    defaults = {"kind": item_kind, "apiVersion": document.get("apiVersion", "v1")} if item_kind else {}
    return [{**defaults, **item} for item in document["items"] or ()]


def _complaint(error: Exception) -> str:
    """What is wrong, in one line, with the place."""
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'the whole'}: {one['msg']}" for one in error.errors())
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return " ".join(str(error).split())


def _data_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.suffix in (".yaml", ".yml", ".json"))


def _logs(folder: Path) -> list[ContainerLog]:
    logs: list[ContainerLog] = []
    for file in sorted(folder.glob("*/*/*.log")):
        previous = file.name.endswith(".previous.log")
        container = file.name.removesuffix(".log").removesuffix(".previous")
        logs.append(
            ContainerLog(
                namespace=file.parent.parent.name,
                pod=file.parent.name,
                container=container,
                previous=previous,
                text=file.read_bytes().decode(errors="surrogateescape"),
            )
        )
    return logs


class PlainLoader(_SafeLoader):
    """Reads timestamps as text, as Kubernetes prints them."""


PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
