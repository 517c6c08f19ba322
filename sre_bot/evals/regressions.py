"""The gate: what was right may not become wrong. The baseline file holds each incident's marks and the totals."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from sre_bot.domain.errors import BadInput
from sre_bot.evals.scorecard import Scorecard

Json = dict[str, Any]
TOTALS = (
    *("incidents", "kind_at_1", "object_at_1", "both_at_1", "both_at_3", "culprit_at_1", "verdict_accuracy"),
    *("decoy_hits", "false_alarms", "healed", "harmed", "regression_valid", "grounded", "brier", "ece"),
)
"""The totals that a baseline keeps and a comparison shows."""
GATED = {"both_at_1": True, "culprit_at_1": True, "verdict_right": True, "decoy_hit": False, "false_alarm": False}
"""The marks that are held, and how each is when it is right."""


class Held(BaseModel):
    """One incident's marks, and whether it healed where it was played."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    marks: Scorecard
    healed: bool | None = None
    harmed: bool | None = None


class Baseline(BaseModel):
    """What a run reached, by ``split/incident``, with its totals."""

    model_config = ConfigDict(frozen=True)

    stage: str
    summary: dict[str, float | None]
    incidents: dict[str, Held]

    @classmethod
    def of(cls, report: Json) -> "Baseline":
        """The baseline that a report makes."""
        held = {_key(one): Held.model_validate(one) for one in report["incidents"]}
        totals = {name: report["summary"][name] for name in TOTALS}
        return cls(stage=report["stage"], summary=totals, incidents=dict(sorted(held.items())))

    @classmethod
    def read(cls, file: Path) -> "Baseline":
        """Read a baseline file. Raises ``BadInput``."""
        try:
            return cls.model_validate_json(file.read_text())
        except (OSError, ValidationError) as error:
            said = f"{file} is no baseline: {' '.join(str(error).split())[:300]}"
            raise BadInput(f"{said}; write one with --baseline {file} --update") from error

    def write(self, file: Path) -> None:
        """Write the file; the same marks give the same bytes."""
        file.write_text(json.dumps(self.model_dump(mode="json"), indent=1) + "\n")


def regressions(before: Baseline, now: Baseline) -> list[str]:
    """A sentence for each mark that was right and is not any more. Incidents that were not run are left out."""
    found: list[str] = []
    for name, old in before.incidents.items():
        if new := now.incidents.get(name):
            found += [f"{name}: {mark.replace('_', ' ')} was right and is wrong" for mark in _lost(old, new)]
    return found


def _lost(old: Held, new: Held) -> list[str]:
    lost = [mark for mark, right in GATED.items() if _is(old.marks, mark, right) and _is(new.marks, mark, not right)]
    played = old.healed is not None and new.healed is not None
    healing = ["healed"] if played and old.healed and not new.healed else []
    return lost + healing + (["harmed"] if old.harmed is False and new.harmed else [])


def _is(marks: Scorecard, name: str, value: bool) -> bool:
    return getattr(marks, name) is value


def changes(before: Baseline, now: Baseline) -> dict[str, tuple[float | None, float | None]]:
    """The totals that differ, before and now."""
    old: Mapping[str, float | None] = before.summary
    return {name: (old.get(name), now.summary[name]) for name in TOTALS if old.get(name) != now.summary[name]}


def _key(incident: Json) -> str:
    return f"{incident['split']}/{incident['incident']}"
