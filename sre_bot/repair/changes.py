"""What a fix changes, as fields of objects instead of lines of text."""

from dataclasses import dataclass
from typing import Any

from sre_bot.domain.errors import BadManifest
from sre_bot.domain.fix import FileEdit
from sre_bot.repair.differences import same
from sre_bot.repair.fields import ABSENT, FieldPath, Step
from sre_bot.repair.manifests import Manifest, Manifests


@dataclass(frozen=True, slots=True)
class Change:
    """One changed field of one object; ``ABSENT`` where there was, or is, nothing."""

    manifest: Manifest
    path: FieldPath
    before: Any
    after: Any


def changes_of(edit: FileEdit) -> tuple[Change, ...]:
    """The changed fields of a manifest file, whole objects included (empty path). Empty for files of another kind."""
    before = _objects(edit.path, edit.before)
    after = _objects(edit.path, edit.after)
    found: list[Change] = []
    for key in before.keys() | after.keys():
        old, new = before.get(key), after.get(key)
        manifest = old or new
        if manifest is not None:
            one = old.body if old else ABSENT
            other = new.body if new else ABSENT
            found.extend(Change(manifest, path, *values) for path, values in leaves_changed(one, other).items())
    return tuple(sorted(found, key=lambda change: (str(change.manifest.ref), str(change.path))))


def _objects(path: str, text: str | None) -> dict[tuple[str, str, str, int], Manifest]:
    """The objects by kind, namespace, name, and count among equals."""
    if text is None:
        return {}
    found: dict[tuple[str, str, str, int], Manifest] = {}
    read = Manifests.read({path: text}, "")
    if read.unreadable:
        raise BadManifest(read.unreadable[path])
    for manifest in read.objects:
        ref, count = manifest.ref, 0
        while (ref.kind, ref.namespace, ref.name, count) in found:
            count += 1
        found[(ref.kind, ref.namespace, ref.name, count)] = manifest
    return found


def leaves_changed(old: Any, new: Any, path: FieldPath = ()) -> dict[FieldPath, tuple[Any, Any]]:
    """The deepest fields in which two values differ; named list items are compared by name."""
    if same(old, new):
        return {}
    if isinstance(old, dict) and isinstance(new, dict):
        pairs = {key: (old.get(key, ABSENT), new.get(key, ABSENT)) for key in [*old, *(k for k in new if k not in old)]}
        return _merged(pairs, path)
    if isinstance(old, list) and isinstance(new, list):
        return _merged(_paired(old, new), path)
    return {path: (old, new)}


def _merged(pairs: dict[Step, tuple[Any, Any]], path: FieldPath) -> dict[FieldPath, tuple[Any, Any]]:
    return {
        where: values for key, pair in pairs.items() for where, values in leaves_changed(*pair, (*path, key)).items()
    }


def _paired(old: list[Any], new: list[Any]) -> dict[Step, tuple[Any, Any]]:
    names = [[item.get("name") if isinstance(item, dict) else None for item in items] for items in (old, new)]
    if all(None not in side and len({*map(str, side)}) == len(side) for side in names):
        one, other = ({str(item["name"]): item for item in items} for items in (old, new))
        return {
            key: (one.get(key, ABSENT), other.get(key, ABSENT)) for key in [*one, *(k for k in other if k not in one)]
        }
    longest = max(len(old), len(new))
    padded = [[*items, *[ABSENT] * (longest - len(items))] for items in (old, new)]
    return dict(enumerate(zip(*padded, strict=True)))
