"""Surcharges, read once from the mounted file; without one the defaults of the printed table hold."""

import json
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Surcharges:
    """All in cents."""

    fuel_per_metre: int = 35
    freight_papers: int = 900
    excess_per_metre: int = 640


def load(path: str | None = None) -> Surcharges:
    """Read ``TARIFFS_SURCHARGES`` (or ``path``)."""
    file = Path(path or os.environ.get("TARIFFS_SURCHARGES", "/etc/tariffs/surcharges.json"))
    if not file.is_file():
        return Surcharges()
    return Surcharges(**json.loads(file.read_text()))
