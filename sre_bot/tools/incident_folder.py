"""What an incident folder tells a diagnosis besides its cluster: clock, repository, metrics; never what is expected."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sre_bot.domain.cluster import Series
from sre_bot.domain.errors import BadInput
from sre_bot.domain.metrics import read_recorded
from sre_bot.tools.dump_files import files_under

INCIDENT_FILE = "incident.yaml"
MOST_METRICS = 64 * 1024 * 1024
"""Bytes of recorded metrics that are read."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class RecordedSource(_Part):
    """The repository that belongs to the incident."""

    name: str = "repository"
    branch: str = "main"


class RecordedDeployment(_Part):
    """What Argo CD deploys of it."""

    path: str = ""


class _Described(_Part):
    now: datetime
    repository: RecordedSource | None = None
    argocd: RecordedDeployment | None = None
    unseen: tuple[str, ...] = Field(default=())


@dataclass(frozen=True, slots=True)
class IncidentFolder:
    """One incident folder. ``now`` is its clock, aware, in UTC; ``unseen`` is what the recorder could not see.

    ``repository`` is None where the folder holds none; ``path`` is the folder of the repository that is deployed.
    """

    folder: Path
    now: datetime
    repository: RecordedSource | None
    path: str
    unseen: tuple[str, ...]

    @classmethod
    def at(cls, folder: Path) -> "IncidentFolder | None":
        """The incident folder at a path, None where it is none. Raises ``BadInput`` when its description is no use."""
        file = folder / INCIDENT_FILE
        if not file.is_file():
            return None
        try:
            described = _Described.model_validate(yaml.safe_load(file.read_bytes()))
        except (yaml.YAMLError, ValidationError, OSError) as error:
            raise BadInput(f"{file} cannot be read: {_first(error)}") from error
        now = described.now
        return cls(
            folder=folder,
            now=now.replace(tzinfo=UTC) if now.tzinfo is None else now.astimezone(UTC),
            repository=described.repository if _holds_repository(folder) else None,
            path=described.argocd.path if described.argocd else "",
            unseen=described.unseen,
        )

    def metrics(self, unseen: list[str]) -> tuple[Series, ...]:
        """The recorded series; ``unseen`` is told what could not be read."""
        found: list[Series] = []
        left = MOST_METRICS
        for file in files_under(self.folder / "metrics", unseen):
            if not file.name.endswith(".json") or file.size > left:
                unseen.append(f"metrics/{file.name}: no JSON, or too large")
                continue
            left -= file.size
            try:
                found += read_recorded(json.loads(file.read(file.size)), file.path.stem)
            except (ValueError, RecursionError, OSError) as error:
                unseen.append(f"metrics/{file.name}: {_first(error)}")
        return tuple(found)


def _holds_repository(folder: Path) -> bool:
    places = folder / "repo.bundle", folder / "repo"
    return any(place.exists() and not place.is_symlink() for place in places)


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'the whole'}: {one['msg']}" for one in error.errors())
    return " ".join(str(error).split())
