"""What Argo CD sees when it compares the cluster with the manifests of a revision."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.lab.cluster import Cluster, Key
from sre_bot.lab.health import Health, health_of, worst
from sre_bot.lab.manifests import apply

SyncStatus = Literal["Synced", "OutOfSync", "Unknown"]


@dataclass(frozen=True, slots=True)
class ResourceState:
    """One managed object: whether it is as wanted, and how it is."""

    key: Key
    version: str
    status: SyncStatus
    health: Health | None
    requires_pruning: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison. ``error`` says why there was none; the status is then ``Unknown``."""

    revision: str
    at: datetime
    resources: tuple[ResourceState, ...] = ()
    error: str = ""

    @property
    def status(self) -> SyncStatus:
        """The application's sync status."""
        if self.error:
            return "Unknown"
        return "Synced" if all(one.status == "Synced" for one in self.resources) else "OutOfSync"

    @property
    def health(self) -> Health:
        """The application's health: that of its worst object."""
        if self.error and not self.resources:
            return Health("Unknown")
        return worst([one.health for one in self.resources if one.health])


def compare(
    cluster: Cluster, before: dict[Key, KubernetesObject], wanted: dict[Key, KubernetesObject]
) -> tuple[ResourceState, ...]:
    """Compare the live objects with the wanted manifests; ``before`` are those of the last sync."""
    return tuple(
        _state(cluster, key, before.get(key), wanted.get(key))
        for key in sorted(wanted.keys() | {key for key in before if key in cluster.objects})
    )


def _state(
    cluster: Cluster, key: Key, before: KubernetesObject | None, wanted: KubernetesObject | None
) -> ResourceState:
    live = cluster.objects.get(key)
    shown = live or wanted or {}
    version = str(shown.get("apiVersion", "v1")).rpartition("/")[2]
    if wanted is None:
        return ResourceState(key, version, "OutOfSync", health_of(live), requires_pruning=True)
    same = live is not None and not apply(cluster, before, wanted).changed
    return ResourceState(key, version, "Synced" if same else "OutOfSync", health_of(live))
