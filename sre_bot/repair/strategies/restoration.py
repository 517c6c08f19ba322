"""Restoring: the faulty field gets back what it held before, whichever commit changed it."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from sre_bot.domain.diagnosis import Suspect
from sre_bot.domain.fix import Fix
from sre_bot.repair.case import Case, EarlierValue, shown
from sre_bot.repair.changes import leaves_changed
from sre_bot.repair.conditions.workloads import amount, references
from sre_bot.repair.fields import ABSENT, FieldPath, field_text, short_text, value_at, with_value, without_value
from sre_bot.repair.manifests import Manifest
from sre_bot.repair.undoing import is_text, undo_lines_with, undo_value
from sre_bot.repair.versions import version_of

_MOST = 3
"""How many earlier values are offered; older ones belong to another time."""


def restored_field(case: Case) -> Iterator[Fix]:
    """The earlier values of the faulty field, newest first."""
    if case.field:
        for earlier in islice(case.earlier_values(case.manifest, case.field), _MOST):
            yield from _as_one(case, earlier)


def _as_one(case: Case, earlier: EarlierValue) -> Iterator[Fix]:
    """The field alone; with its neighbours where the commit put the field in for one of them, as a renamed label."""
    path, commit = case.field, earlier.commit
    around = next((one for one in case.earlier_values(case.manifest, path[:-1]) if one.commit.sha == commit.sha), None)
    if earlier.value is ABSENT and around is not None and _took_out(around):
        yield from restorations(case, case.manifest, path[:-1], around)
    else:
        yield from restorations(case, case.manifest, path, earlier)


def _took_out(around: EarlierValue) -> bool:
    """Whether a commit removed keys of a mapping to which it added others."""
    before, left = around.value, around.left
    return isinstance(before, dict) and isinstance(left, dict) and not before.keys() <= left.keys()


def lowered_again(case: Case) -> Iterator[Fix]:
    """An earlier, smaller amount of the faulty field: what a commit raised beyond what there is."""
    if case.field:
        current = amount(value_at(case.manifest.body, case.field))
        for earlier in islice(case.earlier_values(case.manifest, case.field), _MOST):
            if 0 < amount(earlier.value) < current:
                yield from restorations(case, case.manifest, case.field, earlier)


def restorations(case: Case, manifest: Manifest, path: FieldPath, earlier: EarlierValue) -> Iterator[Fix]:
    """The fixes that give one field of one object an earlier value again; in a text, the fewest lines first."""
    current = value_at(manifest.body, path)
    values = [undo_value(current, earlier.value, earlier.left)]
    if all(is_text(value) for value in (current, earlier.value, earlier.left)):
        fewest = undo_lines_with(current, earlier.value, earlier.left, case.finding.observed)
        values = values if fewest in (None, *values) else [fewest, *values]
    for value in values:
        if value is ABSENT or value != current:
            yield _restored(case, manifest, path, value, earlier)


def _restored(case: Case, manifest: Manifest, path: FieldPath, value: Any, earlier: EarlierValue) -> Fix:
    body = without_value(manifest.body, path) if value is ABSENT else with_value(manifest.body, path, value)
    verb = "Remove" if value is ABSENT else "Restore"
    target = f" to {value}" if _is_short(value) else ""
    of = "from" if value is ABSENT else "of"
    return case.fix(
        "restore",
        ((manifest, body),),
        title=f"{verb} {short_text(path)} {of} {case.label(manifest)}{target}",
        explanation=(
            f"{case.complaint} Commit {earlier.commit.sha[:12]} ({earlier.commit.subject!r}) changed "
            f"{field_text(path)} from {shown(earlier.value)} to {shown(earlier.left)}; this takes that change back."
        ),
        risk=f"Low: the value was in use until {earlier.commit.authored_at:%Y-%m-%d %H:%M} and nothing else changes.",
        undoes=earlier.commit,
    )


def restored_object(case: Case) -> Iterator[Fix]:
    """What the suspected commit did to the faulty object, undone where nobody changed it since."""
    suspect, manifest = case.hypothesis.culprit, case.manifest
    version = version_of(case.history, manifest.path, suspect.sha) if suspect else None
    if suspect is None or version is None or version.before is None or version.after is None:
        return
    before, left = (case.object_in(text, manifest) for text in (version.before, version.after))
    if before is None or left is None or not _explains(case, before, left):
        return
    yield case.fix(
        "undo_in_object",
        ((manifest, undo_value(manifest.body, before, left)),),
        title=f"Undo {suspect.subject!r} in {case.label()}",
        explanation=f"{_accusation(case, suspect)} Its changes to {case.label()} are taken back; the rest of it stays.",
        risk="Low: the object returns to what ran before that commit; later changes to it are kept.",
        undoes=version.commit,
    )


def _explains(case: Case, before: Any, left: Any) -> bool:
    """Whether the commit touched the faulty field, or something in it or around it."""
    faulty, changed = case.field, leaves_changed(before, left)
    return bool(changed) and (
        not faulty or any(path[: len(faulty)] == faulty or faulty[: len(path)] == path for path in changed)
    )


def _accusation(case: Case, suspect: Suspect) -> str:
    reason = suspect.reason.strip().rstrip(".")
    return f"{case.complaint} Commit {suspect.sha[:12]} ({suspect.subject!r}) is the likeliest cause: {reason}."


def restored_entry(case: Case) -> Iterator[Fix]:
    """A key that a ConfigMap lost: put back with the value that it had. Secrets are never written."""
    for name, key in _wanted_keys(case):
        for manifest in case.manifests.of_kind("ConfigMap"):
            if manifest.ref.name == name:
                yield from _entry(case, manifest, ("data", key))


def _wanted_keys(case: Case) -> Iterator[tuple[str, str]]:
    """The keys that the faulty object reads and that are not there, the one of the finding first."""
    used = [(name, key) for name, key in references(case.manifest.body, "ConfigMap") if key]
    yield from sorted(used, key=lambda pair: pair[1] != case.finding.observed)


def _entry(case: Case, manifest: Manifest, path: FieldPath) -> Iterator[Fix]:
    if value_at(manifest.body, path) is ABSENT:
        for earlier in islice(case.earlier_values(manifest, path), 1):
            yield from restorations(case, manifest, path, earlier)


def _is_short(value: object) -> bool:
    return isinstance(value, str | int | float) and len(str(value)) <= 40 and "\n" not in str(value)
