"""A cluster as it was at one moment: plain Kubernetes objects, events, logs and metrics."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

KubernetesObject = dict[str, Any]
"""One object exactly as the API prints it (camelCase keys, ``kind`` and ``apiVersion`` set)."""


class Value(BaseModel):
    """The base of every frozen value that crosses a boundary."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ObjectRef(Value):
    """An object's name, written ``Kind/namespace/name``; the namespace is empty for cluster-scoped kinds."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"

    def __eq__(self, other: object) -> bool:  # plain: references are compared millions of times
        return isinstance(other, ObjectRef) and (self.name, self.kind, self.namespace) == (
            other.name,
            other.kind,
            other.namespace,
        )

    def __hash__(self) -> int:
        return hash((self.kind, self.namespace, self.name))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``Kind/namespace/name``. Raises ``ValueError`` on anything else."""
        kind, namespace, name = text.split("/", 2)
        return cls(kind=kind, namespace=namespace, name=name)

    @classmethod
    def of(cls, thing: KubernetesObject) -> Self:
        """The reference of an object."""
        metadata = thing.get("metadata") or {}
        return cls(kind=thing.get("kind", ""), namespace=metadata.get("namespace", ""), name=metadata.get("name", ""))


class ContainerLog(Value):
    """The tail of one container's log. ``previous`` is the log of its last, ended run."""

    namespace: str
    pod: str
    container: str
    previous: bool = False
    text: str
    truncated: bool = False


class Series(Value):
    """One metric of one source. ``points`` are pairs of seconds since 1970 and finite values, oldest first."""

    name: str
    labels: dict[str, str]
    points: tuple[tuple[float, float], ...]

    @property
    def title(self) -> str:
        """The series as Prometheus writes it: ``name{label="value"}``."""
        inner = ",".join(f'{key}="{value}"' for key, value in sorted(self.labels.items()))
        return f"{self.name}{{{inner}}}"


class ClusterSnapshot(Value):
    """Everything that was read of a cluster at one moment.

    ``taken_at`` is the answering server's clock, never ours. ``objects`` holds no Events. ``unseen`` says in words what
    could not be read ("nodes: forbidden"). ``metrics`` is empty where no metrics server is configured.
    """

    taken_at: datetime
    namespaces: tuple[str, ...]
    objects: tuple[KubernetesObject, ...] = ()
    events: tuple[KubernetesObject, ...] = ()
    logs: tuple[ContainerLog, ...] = ()
    unseen: tuple[str, ...] = Field(default=())
    metrics: tuple[Series, ...] = ()
