from dataclasses import dataclass
from pathlib import Path

import pytest

from sre_bot.lab.physics import Outcome
from tests.incident_folder import INCIDENTS, IncidentFolder


@dataclass(frozen=True, slots=True)
class Repair:
    """One edit of an incident's head: in ``file``, ``old`` becomes ``new``."""

    incident: str
    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Repairs:
    """Edits of one file, written one under the other."""

    incident: str
    file: str
    edits: tuple[tuple[str, str], ...]

    def each(self) -> list[Repair]:
        return [Repair(self.incident, self.file, old, new) for old, new in self.edits]


def flat(*groups: Repairs) -> list[Repair]:
    return [repair for group in groups for repair in group.each()]


BISECTION = "    return BANDS[bisect_left(_LIMITS, length_m)]\n"
CUTOFF = "configMapKeyRef: {name: dispatch-settings, key: CUTOFF}"
LIMIT = "              memory: 320Mi\n          readinessProbe:"
PROBE = "            httpGet:\n              path: /actuator/health/readiness\n              port: 9001\n"
GPU = "      nodeSelector:\n        halcyon.example/pool: gpu\n"

RIGHT = flat(
    Repairs(
        "orders-cannot-be-placed",
        "deploy/slots.yaml",
        (("targetPort: 8080", "targetPort: 8000"), ("targetPort: 8080", "targetPort: http")),
    ),
    Repairs(
        "statements-not-arrived",
        "deploy/statement-worker-deploy.yaml",
        ((LIMIT, LIMIT.replace("320Mi", "1Gi")), (LIMIT, LIMIT.replace("320Mi", "512Mi"))),
    ),
    Repairs(
        "drivers-without-lists",
        "deploy/30-floor.yml",
        ((CUTOFF, CUTOFF.replace("CUTOFF", "CUTOFF_TIME")),),
    ),
    Repairs(
        "drivers-without-lists",
        "deploy/10-settings.yml",
        (('    CUTOFF_TIME:   "16:45"\n', '    CUTOFF_TIME:   "16:45"\n    CUTOFF:        "16:45"\n'),),
    ),
    Repairs(
        "no-seat-plans",
        "deploy/boxoffice-seating.yaml",
        (
            ("seat-cache.venue.svc", "seat-cache.venues.svc"),
            ("seat-cache.venue.svc.cluster.local", "seat-cache.venues"),
        ),
    ),
    Repairs(
        "freight-desk-gets-errors",
        "src/tariffs/bands.py",
        (
            (BISECTION, "    return BANDS[min(bisect_left(_LIMITS, length_m), len(BANDS) - 1)]\n"),
            (BISECTION, "    return next((band for band in BANDS if length_m <= band.up_to), BANDS[-1])\n"),
        ),
    ),
    Repairs("chapters-not-in-the-player", "deploy/player.yaml", (("player:8.40", "player:8.4.0"),)),
    Repairs(
        "searching-beds-is-slow",
        "deploy/availability.yaml",
        (
            (PROBE, PROBE.replace("9001", "http")),
            (
                "              value: prod\n",
                '              value: prod\n            - name: MANAGEMENT_SERVER_PORT\n              value: "9001"\n',
            ),
        ),
    ),
    Repairs("scans-pile-up", "deploy/segmentation.yaml", ((GPU, GPU.replace("pool: gpu", "class: gpu-l4")), (GPU, ""))),
)

WRONG = flat(
    Repairs("orders-cannot-be-placed", "deploy/storefront.yaml", (("2026.7.0", "2026.5.1"),)),
    Repairs("orders-cannot-be-placed", "deploy/slots.yaml", (("slots:1.9.3", "slots:1.9.2"),)),
    Repairs("statements-not-arrived", "deploy/statement-worker-deploy.yaml", ((LIMIT, LIMIT.replace("320", "384")),)),
    Repairs("statements-not-arrived", "deploy/documents-deploy.yaml", (("4.12.1", "4.12.0"),)),
    Repairs("drivers-without-lists", "deploy/10-settings.yml", (("CUTOFF_TIME:", "CUTOFF:"),)),
    Repairs("drivers-without-lists", "deploy/30-floor.yml", (("manifest-writer:2.8.0", "manifest-writer:2.7.4"),)),
    Repairs("no-seat-plans", "deploy/boxoffice-web.yaml", (("web:9.3.0", "web:9.2.4"),)),
    Repairs("freight-desk-gets-errors", "src/tariffs/bands.py", ((BISECTION, "    return BANDS[0]\n"),)),
    Repairs("freight-desk-gets-errors", "deploy/tariffs.yaml", (('"fuel_per_metre": 41', '"fuel_per_metre": 35'),)),
    Repairs("chapters-not-in-the-player", "deploy/player.yaml", (("player:8.40", "player:8.4"),)),
    Repairs("searching-beds-is-slow", "deploy/www.yaml", (("2026.10.0", "2026.9.0"),)),
    Repairs("scans-pile-up", "deploy/segmentation.yaml", (("thorax-2025-11", "thorax-2025-09"),)),
)

HARMFUL = flat(
    Repairs("orders-cannot-be-placed", "deploy/slots.yaml", (("replicas: 2", "replicas: 0"),)),
    Repairs(
        "statements-not-arrived",
        "deploy/statement-worker-deploy.yaml",
        ((LIMIT, "              cpu: 500m\n          readinessProbe:"),),
    ),
    Repairs("drivers-without-lists", "deploy/30-floor.yml", (("replicas: 1", "replicas: 0"),)),
    Repairs("no-seat-plans", "deploy/boxoffice-seating.yaml", (("readinessProbe:", "startupProbe:"),)),
    Repairs("freight-desk-gets-errors", "deploy/tariffs.yaml", (("replicas: 2", "replicas: 0"),)),
    Repairs("chapters-not-in-the-player", "deploy/player.yaml", (("kind: Deployment", "kind: ReplicaSet"),)),
    Repairs("searching-beds-is-slow", "deploy/availability.yaml", (("          readinessProbe:\n" + PROBE, ""),)),
    Repairs("scans-pile-up", "deploy/segmentation.yaml", (("replicas: 2", "replicas: 0"),)),
)


def outcome_of(repair: Repair, place: Path) -> Outcome:
    folder = IncidentFolder.check_out(INCIDENTS / repair.incident, place)
    files = dict(folder.files)
    text = files[repair.file]
    assert text.count(repair.old) == 1, f"{repair.old!r} is in {repair.file} {text.count(repair.old)} times"
    files[repair.file] = text.replace(repair.old, repair.new)
    return folder.outcome(files, folder.rendered(files))


def name(repair: Repair) -> str:
    return f"{repair.incident}: {' '.join(repair.new.split())[-40:]}"


@pytest.mark.parametrize("repair", RIGHT, ids=name)
def test_every_right_repair_heals(repair: Repair, tmp_path: Path) -> None:
    assert outcome_of(repair, tmp_path) == "healed"


@pytest.mark.parametrize("repair", WRONG, ids=name)
def test_a_tempting_wrong_repair_changes_nothing(repair: Repair, tmp_path: Path) -> None:
    assert outcome_of(repair, tmp_path) == "failing"


@pytest.mark.parametrize("repair", HARMFUL, ids=name)
def test_a_repair_that_takes_something_away_is_harm(repair: Repair, tmp_path: Path) -> None:
    assert outcome_of(repair, tmp_path) == "harmed"
