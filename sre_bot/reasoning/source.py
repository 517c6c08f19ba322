"""What the repository tells: declarations, changes, drift, and where stack traces lead."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from sre_bot.detectors.fields import mapping, steps, text
from sre_bot.detectors.index import ClusterIndex
from sre_bot.domain.cluster import ClusterSnapshot, KubernetesObject, ObjectRef, Value
from sre_bot.domain.source import SourceHistory, SourceTree
from sre_bot.reasoning.drift import Drift, drifts
from sre_bot.reasoning.frames import MappedTrace, mapped_traces
from sre_bot.reasoning.manifests import Declared, declared, differences
from sre_bot.reasoning.versions import Version, versions

MAX_CHANGES = 400


class Manifest(Value):
    """Where a live object is declared: the document's place in the file, the item's place in a List."""

    object: ObjectRef
    path: str
    position: int
    item: int | None = None


class FieldChange(Value):
    """One field that one commit changed; ``before`` or ``after`` is None where it did not exist.

    ``name`` is that of the list entry which the field belongs to: of a variable, a port, a container.
    """

    sha: str
    subject: str
    at: datetime
    path: str
    object: ObjectRef
    field: str
    before: str | None
    after: str | None
    name: str = ""


class SourceReport(Value):
    """The source side of the evidence; empty where there is no repository."""

    repository: str = ""
    head: str = ""
    manifests: tuple[Manifest, ...] = ()
    changes: tuple[FieldChange, ...] = ()
    drift: tuple[Drift, ...] = ()
    traces: tuple[MappedTrace, ...] = ()

    def manifest_of(self, ref: ObjectRef) -> Manifest | None:
        """Where an object is declared; None where the repository does not declare it."""
        return next((manifest for manifest in self.manifests if manifest.object == ref), None)


def analyse_source(snapshot: ClusterSnapshot, history: SourceHistory | None) -> SourceReport:
    """Read a repository against a snapshot: manifests of the live objects, changes, drift, traces mapped to files."""
    return read_source(ClusterIndex(snapshot), history)


def read_source(index: ClusterIndex, history: SourceHistory | None) -> SourceReport:
    """The same, on an index that is already built."""
    if history is None:
        return SourceReport()
    known = tuple(declarations(history.tree, history.path))
    matched = tuple(_matched(index, known))
    return SourceReport(
        repository=history.repository,
        head=history.tree.sha,
        manifests=tuple(
            Manifest(object=ref, path=one.path, position=one.position, item=one.item) for ref, one in matched
        ),
        changes=tuple(change for version in versions(history) for change in field_changes(version))[:MAX_CHANGES],
        drift=tuple(found for ref, one in matched for found in drifts(ref, one, index.find(ref) or {})),
        traces=mapped_traces(index, history.tree),
    )


def declarations(tree: SourceTree, path: str) -> Iterator[Declared]:
    """Every object that the tree declares, those under the deployed path first."""
    under = f"{path.strip('/')}/" if path.strip("./") else ""
    for name in sorted(tree.files, key=lambda name: (not name.startswith(under), name)):
        yield from declared(name, tree.files[name])


def _matched(index: ClusterIndex, known: Iterable[Declared]) -> Iterator[tuple[ObjectRef, Declared]]:
    """Live objects with their declarations: of the same namespace, else of none, else of the same name."""
    by_name: dict[tuple[str, str], list[Declared]] = {}
    for one in known:
        by_name.setdefault((one.ref.kind, one.ref.name), []).append(one)
    for kind, name in sorted(by_name):
        for ref in _live(index, kind, name):
            candidates = by_name[(kind, name)]
            yield (
                ref,
                min(
                    candidates,
                    key=lambda one: (
                        one.ref.namespace != ref.namespace,
                        one.ref.namespace != "",
                        candidates.index(one),
                    ),
                ),
            )


def _live(index: ClusterIndex, kind: str, name: str) -> list[ObjectRef]:
    return [ref for thing in index.of_kind(kind) if (ref := ObjectRef.of(thing)).name == name and not _is_copy(thing)]


def _is_copy(thing: dict[str, object]) -> bool:
    return bool(mapping(thing, "metadata").get("ownerReferences")) and text(thing, "kind") == "Pod"


def field_changes(version: Version) -> Iterator[FieldChange]:
    """The fields of manifests that a commit changed; objects that it added or removed count as one change each."""
    if not version.exact:
        return  # a text that could not be rebuilt would look as if everything in it were new
    before = {one.ref: one.thing for one in declared(version.path, version.before or "")}
    after = {one.ref: one.thing for one in declared(version.path, version.after or "")}
    yield from _changes(version, before, after)


def moves(changed: Sequence[Version]) -> tuple[FieldChange, ...]:
    """The fields that a commit changed of objects which it took from one file to another."""
    exact = [version for version in changed if version.exact]
    before = {one.ref: one.thing for version in exact for one in declared(version.path, version.before or "")}
    after = {one.ref: (version, one.thing) for version in exact for one in declared(version.path, version.after or "")}
    found: list[FieldChange] = []
    for ref in sorted({*before} & {*after}, key=str):
        version, thing = after[ref]
        at_home = any(one.ref == ref for one in declared(version.path, version.before or ""))
        if not at_home:
            found += list(_changes(version, {ref: before[ref]}, {ref: thing})) or [_unchanged(version, ref)]
    return tuple(found)


def _unchanged(version: Version, ref: ObjectRef) -> FieldChange:
    commit = version.commit
    return FieldChange(
        sha=commit.sha,
        subject=commit.subject,
        at=commit.authored_at,
        path=version.path,
        object=ref,
        field="metadata.name",
        before=ref.name,
        after=ref.name,
    )


def _changes(
    version: Version, before: dict[ObjectRef, KubernetesObject], after: dict[ObjectRef, KubernetesObject]
) -> Iterator[FieldChange]:
    commit = version.commit
    for ref in sorted({*before, *after}, key=str):
        if ref not in before or ref not in after:
            pairs = [("", None if ref not in before else "declared", None if ref not in after else "declared")]
        else:
            hidden = _digest if ref.kind == "Secret" else _short
            pairs = [(one.field, hidden(one.before), hidden(one.after)) for one in differences(before[ref], after[ref])]
        for field, old, new in pairs:
            yield FieldChange(
                sha=commit.sha,
                subject=commit.subject,
                at=commit.authored_at,
                path=version.path,
                object=ref,
                field=field,
                before=_short(old),
                after=_short(new),
                name=_entry_name(after.get(ref) or before.get(ref) or {}, field),
            )


def _entry_name(thing: KubernetesObject, field: str) -> str:
    """The name beside a value in a list of named entries."""
    return text(thing, *steps(field)[:-1], "name") if field else ""


def _digest(value: str | None) -> str | None:
    """What stands for a Secret's value: it tells that it changed, and nothing else."""
    return value if value is None else f"sha256:{hashlib.sha256(value.encode()).hexdigest()[:12]}"


def _short(value: str | None) -> str | None:
    return value if value is None else value[:2_000]
