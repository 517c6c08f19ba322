"""Changed objects against the Kubernetes schemas of the newest version that is at hand."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import kubernetes_validate

from sre_bot.domain.fix import Fix
from sre_bot.repair.manifests import Manifests


def schema_problems(fix: Fix) -> Iterator[str]:
    """What the schemas say against the changed objects; kinds without a schema (custom resources) are passed over.

    Unknown fields count only where the object had none before: the newest schema may know fewer fields than a cluster.
    """
    for path, before, after in _changed_objects(fix):
        strict = before is None or not problem_of(before, strict=True)
        problem = problem_of(after, strict=strict)
        if problem and (before is None or not problem_of(before, strict=False)):
            kind, name = _name(after)
            yield f"{path}: {kind}/{name}: {problem}"


def kinds_without_schema(fix: Fix) -> tuple[str, ...]:
    """The kinds of changed objects that could not be checked."""
    unknown = {str(after.get("kind")) for _, _, after in _changed_objects(fix) if _is_unknown(after)}
    return tuple(sorted(unknown))


def _changed_objects(fix: Fix) -> Iterator[tuple[str, dict[str, Any] | None, dict[str, Any]]]:
    """Path, the object before (None: it is new), and the object after, for every object that a fix changes."""
    for edit in fix.edits:
        if edit.after is None or not edit.path.endswith((".yaml", ".yml", ".json")):
            continue
        before = [thing.body for thing in Manifests.read({edit.path: edit.before or ""}, "").objects]
        for thing in Manifests.read({edit.path: edit.after}, "").objects:
            named = isinstance(thing.body.get("apiVersion"), str) and isinstance(thing.body.get("kind"), str)
            if named and thing.body not in before:
                yield edit.path, next((body for body in before if _name(body) == _name(thing.body)), None), thing.body


def _name(body: dict[str, Any]) -> tuple[Any, Any]:
    metadata = body.get("metadata")
    return body.get("kind"), metadata.get("name") if isinstance(metadata, dict) else None


@cache
def _version() -> str:
    return kubernetes_validate.latest_version()


def _is_unknown(body: dict[str, Any]) -> bool:
    try:
        kubernetes_validate.validate(body, _version())
    except kubernetes_validate.SchemaNotFoundError:
        return True
    except kubernetes_validate.ValidationError:
        return False
    return False


def problem_of(body: dict[str, Any], *, strict: bool) -> str:
    """What the schema says against one object; empty when it is valid or its kind is unknown."""
    try:
        kubernetes_validate.validate(body, _version(), strict)
    except kubernetes_validate.SchemaNotFoundError:
        return ""
    except kubernetes_validate.ValidationError as error:
        where = ".".join(str(step) for step in error.path)
        return f"{where or 'the object'}: {error.message[:200]}"
    return ""
