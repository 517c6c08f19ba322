"""What a deployed tree does to the incident: whether it heals, keeps failing, or does harm."""

import asyncio
import json
import re
import shlex
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.domain.errors import BadRecording
from sre_bot.lab.quantities import quantity
from sre_bot.lab.recording import Condition, Recording
from sre_bot.lab.render import parse_documents, write_tree

Outcome = Literal["healed", "failing", "harmed"]
CHECK_SECONDS = 60.0
_STEP = re.compile(r"""\.?([^.\[\]'"]+)|\[(\d+)\]|\["([^"]*)"\]|\['([^']*)'\]""")


@dataclass(frozen=True, slots=True)
class DeployedTree:
    """A revision as it was deployed: the repository's text files, and the objects that they render to."""

    files: dict[str, str]
    objects: tuple[KubernetesObject, ...]


async def evaluate(recording: Recording, tree: DeployedTree) -> Outcome:
    """The outcome of deploying a tree. Any harm outweighs the healing; all healing conditions must hold.

    Raises ``BadRecording`` for a condition that asks nothing or cannot be read.
    """
    expect = recording.incident.expect
    for raw in expect.harms_when:
        if await _holds(recording, Condition.read(raw), tree):
            return "harmed"
    if not expect.heals_when:
        return "failing"
    for raw in expect.heals_when:
        if not await _holds(recording, Condition.read(raw), tree):
            return "failing"
    return "healed"


def value_at(thing: Any, path: str) -> Any:
    """The value at a path like ``spec.ports[0].targetPort`` or ``data["application.yml"]``; None where absent.

    Raises ``BadRecording`` for a path that cannot be read.
    """
    for step in _steps(path):
        if isinstance(step, int):
            thing = thing[step] if isinstance(thing, list) and step < len(thing) else None
        else:
            thing = thing.get(step) if isinstance(thing, dict) else None
    return thing


def _steps(path: str) -> list[str | int]:
    steps: list[str | int] = []
    position = 0
    while position < len(path):
        found = _STEP.match(path, position)
        if not found:
            raise BadRecording(f"the path {path!r} cannot be read at {path[position:]!r}")
        name, index, double, single = found.groups()
        steps.append(int(index) if index is not None else next(x for x in (name, double, single) if x is not None))
        position = found.end()
    return steps


async def _holds(recording: Recording, condition: Condition, tree: DeployedTree) -> bool:
    if condition.command:
        return await _passes(recording.folder, condition.command, tree)
    if not condition.rule:
        raise BadRecording(f"a condition of {recording.folder / 'incident.yaml'} asks nothing: {condition}")
    found, value = _looked_up(condition, tree)
    if not found and condition.path:
        return False
    return all(_verb_holds(verb, wanted, value) for verb, wanted in condition.rule.items())


def _looked_up(condition: Condition, tree: DeployedTree) -> tuple[bool, Any]:
    """Whether the place of a condition exists, and the value there: an object, a file's document, or its text."""
    if condition.object:
        thing = _find(condition.object, _searched(condition, tree))
        return thing is not None, value_at(thing, condition.path or "") if thing else None
    text = tree.files.get(condition.file or "")
    if text is None or not condition.path:
        return text is not None, text
    values = (value_at(document, condition.path) for document in _documents(condition.file or "", text))
    return True, next((value for value in values if value is not None), None)


def _searched(condition: Condition, tree: DeployedTree) -> list[KubernetesObject]:
    if not condition.file:
        return list(tree.objects)
    return [
        thing for thing in _documents(condition.file, tree.files.get(condition.file, "")) if isinstance(thing, dict)
    ]


def _documents(name: str, text: str) -> list[Any]:
    try:
        return parse_documents(text, is_json=name.endswith(".json"))
    except ValueError:
        return []


def _find(wanted: str, things: list[KubernetesObject]) -> KubernetesObject | None:
    kind, *place = wanted.split("/")
    for thing in things:
        metadata = thing.get("metadata") or {}
        namespaces = ("", metadata.get("namespace", place[0])) if len(place) == 2 else ("",)
        fits = thing.get("kind") == kind and metadata.get("name") == place[-1]
        if fits and (len(place) == 1 or place[0] in namespaces):
            return thing
    return None


def _verb_holds(verb: str, wanted: Any, value: Any) -> bool:
    match verb:
        case "exists":
            return (value is not None) == bool(wanted)
        case "absent":
            return (value is None) == bool(wanted)
        case "equals":
            return _equal(value, wanted)
        case "in":
            return any(_equal(value, one) for one in wanted)
        case "matches":
            return value is not None and re.search(str(wanted), _as_text(value)) is not None
        case _:
            return _compares(verb, wanted, value)


def _compares(verb: str, wanted: Any, value: Any) -> bool:
    actual, bound = quantity(value), quantity(wanted)
    if bound is None:
        raise BadRecording(f"{verb}: {wanted!r} is no quantity")
    if actual is None:
        return False
    return actual >= bound if verb == "at_least" else actual <= bound


def _equal(value: Any, wanted: Any) -> bool:
    return value == wanted and isinstance(value, bool) == isinstance(wanted, bool)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


async def _passes(folder: Path, command: str, tree: DeployedTree) -> bool:
    """Run a check of the recording in the checked-out tree; 0 means yes, and so does nothing else."""
    program, *arguments = shlex.split(command)
    file = (folder / program).resolve()
    if not file.is_file():
        raise BadRecording(f"{folder / 'incident.yaml'} names the check {program!r}, which does not exist")
    with tempfile.TemporaryDirectory() as scratch:
        write_tree(Path(scratch), tree.files)
        interpreter = [sys.executable, "-B"] if file.suffix == ".py" else []
        process = await asyncio.create_subprocess_exec(
            *interpreter,
            *(str(file), *arguments, scratch),
            cwd=scratch,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        return await _ended_well(process)


async def _ended_well(process: asyncio.subprocess.Process) -> bool:
    try:
        return await asyncio.wait_for(process.wait(), CHECK_SECONDS) == 0
    except TimeoutError:
        process.kill()
        await process.wait()
        return False
