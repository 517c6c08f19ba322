"""The conditions of an incident, judged on deployed trees."""

from pathlib import Path
from typing import Any

import pytest

from sre_bot.domain.errors import BadRecording
from sre_bot.lab.physics import DeployedTree, Outcome, evaluate, value_at
from sre_bot.lab.recording import Recording
from tests.small_incidents import SmallIncident, deployment, service, text

SETTINGS = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings", "namespace": "shop"},
    "data": {"application.yml": "url: http://db:5432", "LIMIT": "10"},
}


def tree(**changes: Any) -> DeployedTree:
    """A deployed shop; keyword arguments replace fields of its checkout's first container."""
    checkout = deployment("checkout")
    container = checkout["spec"]["template"]["spec"]["containers"][0]
    container.update({"resources": {"limits": {"memory": "1Gi", "cpu": "500m"}}, **changes})
    objects = (checkout, service("checkout", 5050), SETTINGS)
    files = {
        "deploy/checkout.yaml": text(*objects),
        "deploy/other.yaml": text(service("other", 1)),
        "app.py": "x = 1\n",
    }
    return DeployedTree(files, objects)


async def judged(
    folder: Path, *heals: dict[str, Any], harms: tuple[dict[str, Any], ...] = (), **changes: Any
) -> Outcome:
    incident = SmallIncident(heals=list(heals), harms=list(harms), extra={"checks/none": ""})
    return await evaluate(Recording.load(incident.write(folder)), tree(**changes))


PORT = {"object": "Service/checkout", "path": "spec.ports[0].targetPort"}
MEMORY = {"object": "Deployment/checkout", "path": "spec.template.spec.containers[0].resources.limits.memory"}
PROBE = {"object": "Deployment/checkout", "path": "spec.template.spec.containers[0].livenessProbe"}
TEXT = {"object": "ConfigMap/settings", "path": 'data["application.yml"]'}


@pytest.mark.parametrize(
    ("condition", "outcome"),
    [
        ({**PORT, "equals": 5050}, "healed"),
        ({**PORT, "equals": "5050"}, "failing"),
        ({**PORT, "in": [1, 5050]}, "healed"),
        ({**PORT, "in": [1, 2]}, "failing"),
        ({**PROBE, "in": [None, {}]}, "healed"),
        ({**PORT, "in": [None]}, "failing"),
        ({**PORT, "matches": "^50"}, "healed"),
        ({**TEXT, "matches": "db:5432$"}, "healed"),
        ({**TEXT, "matches": "db:3306"}, "failing"),
        ({**PROBE, "matches": "."}, "failing"),
        ({**MEMORY, "at_least": "1000Mi"}, "healed"),
        ({**MEMORY, "at_least": "1.5Gi"}, "failing"),
        ({**MEMORY, "at_most": "1024Mi"}, "healed"),
        ({**MEMORY, "at_most": "1G"}, "failing"),
        ({**MEMORY, "at_least": "1Gi", "at_most": "1Gi"}, "healed"),
        ({**PROBE, "at_least": 1}, "failing"),
        ({**PROBE, "absent": True}, "healed"),
        ({**PROBE, "exists": True}, "failing"),
        ({**PORT, "exists": True}, "healed"),
        ({"object": "Secret/none", "absent": True}, "healed"),
        ({"object": "Secret/none", "path": "data.x", "absent": True}, "failing"),
        ({"object": "Service/shop/checkout", "exists": True}, "healed"),
        ({"object": "Service/elsewhere/checkout", "exists": True}, "failing"),
        ({**PORT, "file": "deploy/checkout.yaml", "equals": 5050}, "healed"),
        ({**PORT, "file": "deploy/other.yaml", "equals": 5050}, "failing"),
        ({"file": "app.py", "matches": "x = 1"}, "healed"),
        ({"file": "gone.py", "absent": True}, "healed"),
        ({"file": "deploy/other.yaml", "path": "spec.ports[0].port", "equals": 80}, "healed"),
    ],
)
async def test_a_verb_holds_or_not(tmp_path: Path, condition: dict[str, Any], outcome: Outcome) -> None:
    assert await judged(tmp_path, condition) == outcome


async def test_every_healing_condition_must_hold(tmp_path: Path) -> None:
    assert await judged(tmp_path, {**PORT, "equals": 5050}, {**MEMORY, "at_least": "9Gi"}) == "failing"


async def test_a_harm_outweighs_the_healing(tmp_path: Path) -> None:
    harms = ({"object": "Deployment/gone", "absent": True}, {**MEMORY, "at_least": "9Gi"})
    assert await judged(tmp_path, {**PORT, "equals": 5050}, harms=harms) == "harmed"


async def test_a_dropped_field_is_a_harm_only_when_it_is_gone(tmp_path: Path) -> None:
    harm = {**MEMORY, "absent": True}
    assert await judged(tmp_path, {**PORT, "equals": 5050}, harms=(harm,)) == "healed"
    assert await judged(tmp_path, {**PORT, "equals": 5050}, harms=(harm,), resources={}) == "harmed"


async def test_without_conditions_nothing_heals(tmp_path: Path) -> None:
    assert await judged(tmp_path) == "failing"


async def test_a_number_and_true_are_different(tmp_path: Path) -> None:
    assert await judged(tmp_path, {**PORT, "equals": True}) == "failing"


def test_paths_reach_dotted_keys_and_list_items() -> None:
    thing = {"data": {"application.yml": "a", "b-c": {"d/e": [1, {"f": 2}]}}}
    assert value_at(thing, "data['application.yml']") == "a"
    assert value_at(thing, 'data.b-c["d/e"][1].f') == 2
    assert value_at(thing, 'data.b-c["d/e"][7]') is None
    assert value_at(thing, "data.x.y") is None


@pytest.mark.parametrize("path", ["spec.ports[", "a[b]", 'a["b'])
def test_a_path_that_cannot_be_read_is_named(path: str) -> None:
    with pytest.raises(BadRecording, match="cannot be read"):
        value_at({}, path)


@pytest.mark.parametrize("condition", [PORT, {**PORT, "at_least": "lots"}, {"command": "checks/missing.py"}])
async def test_a_condition_that_cannot_be_judged_is_refused(tmp_path: Path, condition: dict[str, Any]) -> None:
    with pytest.raises(BadRecording):
        await judged(tmp_path, condition)


async def run_check(folder: Path, program: str) -> Outcome:
    incident = SmallIncident(heals=[{"command": "checks/heals.py strict"}], extra={"checks/heals.py": program})
    return await evaluate(Recording.load(incident.write(folder)), tree())


async def test_a_check_sees_the_tree_and_its_arguments(tmp_path: Path) -> None:
    program = """
import os, pathlib, sys
mode, root = sys.argv[1:]
same = pathlib.Path(root).resolve() == pathlib.Path.cwd()
found = (pathlib.Path(root) / "app.py").read_text() == "x = 1\\n"
sys.exit(0 if mode == "strict" and same and found else 1)
"""
    assert await run_check(tmp_path, program) == "healed"


async def test_a_check_that_fails_or_breaks_heals_nothing(tmp_path: Path) -> None:
    assert await run_check(tmp_path / "one", "raise SystemExit(3)") == "failing"
    assert await run_check(tmp_path / "two", "this is no python") == "failing"


async def test_a_check_leaves_nothing_in_the_recording(tmp_path: Path) -> None:
    await run_check(tmp_path, "open('made', 'w').write('x')")
    assert not list(tmp_path.rglob("made"))
    assert not list(tmp_path.rglob("__pycache__"))
