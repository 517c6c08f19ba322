"""Incident folders and what they expect. ``Expected`` is read apart from the evidence and never meets the bot."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from sre_bot.domain.errors import BadInput, BadRecording
from sre_bot.evals.families import family_of
from sre_bot.lab.recording import Expectation

Split = Literal["tuned", "kept"]
MOST_FOLDERS_DEEP = 4
"""How far below a given path incident folders are looked for."""


class Expected(BaseModel):
    """The part of ``incident.yaml`` that only the scorer reads.

    ``split`` is ``kept`` for incidents that nobody may tune on; ``family`` groups faults of one sort.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    split: Split = "tuned"
    family: str = ""
    repository: dict[str, str] | None = None
    expect: Expectation

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a folder's expectation. Raises ``BadRecording``."""
        file = folder / "incident.yaml"
        try:
            expected = cls.model_validate(yaml.safe_load(file.read_text()))
        except (ValidationError, yaml.YAMLError, UnicodeDecodeError) as error:
            raise BadRecording(f"{file}: {' '.join(str(error).split())}") from error
        return expected.model_copy(update={"family": expected.family or family_of(expected.expect)})


def find_incidents(paths: Iterable[Path], only: str = "*") -> list[Path]:
    """The incident folders at or below the paths, each once, by path. Raises ``BadInput`` when there is none.

    A folder is looked into until an ``incident.yaml`` is found; what lies below that belongs to the incident.
    """
    given = tuple(paths)
    found = sorted({folder.resolve() for path in given for folder in _below(path, MOST_FOLDERS_DEEP)})
    chosen = [folder for folder in found if folder.match(only)]
    if not chosen:
        where = ", ".join(map(str, given))
        like = "" if only == "*" else f" whose name matches {only!r}"
        raise BadInput(f"no incident folder{like} in {where}; one has an incident.yaml")
    return chosen


def _below(path: Path, deep: int) -> Iterable[Path]:
    if (path / "incident.yaml").is_file():
        yield path
    elif deep:
        for folder in path.iterdir():
            if folder.is_dir() and not folder.name.startswith("."):
                yield from _below(folder, deep - 1)
