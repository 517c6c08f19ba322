"""A deployment as Argo CD reports it."""

from datetime import datetime

from sre_bot.domain.cluster import Value


class Application(Value):
    """One Argo CD application. Empty strings where Argo CD reports nothing yet."""

    name: str
    namespace: str
    repository_url: str
    path: str
    target_revision: str
    sync_status: str = ""
    synced_revision: str = ""
    health: str = ""
    health_message: str = ""
    operation_phase: str = ""
    operation_message: str = ""
    operation_revision: str = ""
    auto_sync: bool = False
    conditions: tuple[str, ...] = ()
    reconciled_at: datetime | None = None

    def deployed(self, revision: str) -> bool:
        """Synced to the revision, healthy, and the last operation succeeded."""
        return (
            self.synced_revision == revision
            and self.sync_status == "Synced"
            and self.health == "Healthy"
            and self.operation_phase == "Succeeded"
        )
