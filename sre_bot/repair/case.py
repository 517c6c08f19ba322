"""A case for repair: one hypothesis and one repository, read once, with the questions that strategies ask of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sre_bot.domain.diagnosis import Hypothesis
from sre_bot.domain.errors import BadManifest, NoSafeFix
from sre_bot.domain.finding import Finding
from sre_bot.domain.fix import FileEdit, Fix
from sre_bot.domain.source import Commit, SourceHistory
from sre_bot.repair import yamltext
from sre_bot.repair.differences import same
from sre_bot.repair.edits import rewritten
from sre_bot.repair.fields import ABSENT, FieldPath, by_name, by_place, parse_field, value_at, with_value
from sre_bot.repair.manifests import Manifest, Manifests
from sre_bot.repair.patches import PatchDoesNotApply, single_changes, undone
from sre_bot.repair.versions import versions


@dataclass(frozen=True, slots=True)
class EarlierValue:
    """What stood in a field before ``commit`` changed it; ``ABSENT`` where the field was not there."""

    value: Any
    left: Any
    """What the commit left in the field."""
    commit: Commit


@dataclass(frozen=True)
class Case:
    """One hypothesis and the repository in which it is to be repaired."""

    hypothesis: Hypothesis
    history: SourceHistory

    @property
    def finding(self) -> Finding:
        """The fault."""
        return self.hypothesis.finding

    @property
    def complaint(self) -> str:
        """What is wrong, as one sentence with a full stop."""
        text = " ".join(self.finding.message.split())
        return text if text.endswith((".", "!", "?")) else f"{text}."

    @cached_property
    def manifests(self) -> Manifests:
        """The manifests of the deployed folder at the head."""
        return Manifests.read(self.history.tree.files, self.history.path)

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest of the faulty object. Raises ``NoSafeFix`` or ``BadManifest``."""
        return self.manifests.find(self.finding.object, parse_field(self.finding.field))

    @cached_property
    def field(self) -> FieldPath:
        """The faulty field as a path in the manifest, list items by name; empty when the finding names none."""
        path = parse_field(self.finding.field)
        body = self.manifest.body
        if path[:1] == ("spec",) and self.finding.object.kind == "Pod" and body["kind"] != "Pod":
            path = (*template_path(body["kind"]), *path)
        return by_name(body, in_container(body, path, self.finding.container))

    def earlier_values(self, manifest: Manifest, path: FieldPath) -> Iterator[EarlierValue]:
        """The values that a field of an object had before, newest first, each with the commit that ended it."""
        left = value_at(manifest.body, path)
        for body, commit in self.earlier_bodies(manifest):
            value = _value_then(body, manifest.body, path)
            if not same(value, left) and value is not left:
                yield EarlierValue(value, left, commit)
                left = value

    def earlier_bodies(self, manifest: Manifest) -> Iterator[tuple[dict[str, Any], Commit]]:
        """The object before each commit that changed its file, newest first; unreadable ones are passed over."""
        for version in versions(self.history, manifest.path):
            body = self.object_in(version.before or "", manifest)
            if body is not None:
                yield body, version.commit

    def object_in(self, text: str, manifest: Manifest) -> dict[str, Any] | None:
        """The object in another version of its file; None where it is absent, ambiguous or unreadable."""
        found = Manifests.read({manifest.path: text}, "").lookup(manifest.ref)
        return found[0].body if len(found) == 1 else None

    def fix(
        self,
        strategy: str,
        wanted: tuple[tuple[Manifest, dict[str, Any]], ...],
        *,
        title: str,
        explanation: str,
        risk: str,
        undoes: Commit | None = None,
    ) -> Fix:
        """A fix that brings objects to wanted bodies. Raises ``NoSafeFix`` when the text cannot be edited so.

        ``undoes`` is the commit whose own lines are put back where that alone gives the wanted body: comments and all.
        """
        files = self.history.tree.files
        edited = dict[str, str]()
        for manifest, body in wanted:
            text = edited.get(manifest.path, files[manifest.path])
            patch = _patch(undoes, manifest.path)
            edited[manifest.path] = _put_back(manifest, text, body, patch) or with_object(manifest, text, body)
        edits = tuple(FileEdit(path=path, before=files[path], after=text) for path, text in sorted(edited.items()))
        if all(edit.before == edit.after for edit in edits):
            raise NoSafeFix(f"{strategy}: the repository already holds what it would set")
        return Fix(title=title, strategy=strategy, edits=edits, explanation=explanation, risk=risk)

    def label(self, manifest: Manifest | None = None) -> str:
        """The object as people write it: ``Service/checkout``."""
        ref = (manifest or self.manifest).ref
        return f"{ref.kind}/{ref.name}"


def with_object(manifest: Manifest, text: str, body: dict[str, Any]) -> str:
    """The file's text with one object brought to ``body``."""
    document = yamltext.load(manifest.path, text)[manifest.index]
    return rewritten(manifest.path, text, manifest.index, with_value(document, manifest.prefix, body))


def _value_then(body: dict[str, Any], now: dict[str, Any], path: FieldPath) -> Any:
    """The value in an earlier body; list items that had no name then are found by their place."""
    value = value_at(body, path)
    return value_at(body, by_place(now, path)) if value is ABSENT and _had_no_names(body, now, path) else value


def _had_no_names(body: dict[str, Any], now: dict[str, Any], path: FieldPath) -> bool:
    """Whether a list on the way has as many items as today, some without the names that they have today."""
    for depth, step in enumerate(path):
        items, today = value_at(body, path[:depth]), value_at(now, path[:depth])
        if isinstance(today, list) and isinstance(step, str) and isinstance(items, list) and len(items) == len(today):
            return any(isinstance(item, dict) and "name" not in item for item in items)
    return False


def _patch(commit: Commit | None, path: str) -> str:
    changes = commit.changes if commit else ()
    return next((change.patch for change in changes if change.path == path), "")


def _put_back(manifest: Manifest, text: str, body: dict[str, Any], patch: str) -> str | None:
    """The text with one run of the patch's lines undone, if exactly the wanted body comes of it."""
    documents = yamltext.load(manifest.path, text)
    documents[manifest.index] = with_value(documents[manifest.index], manifest.prefix, body)
    for change in single_changes(patch):
        try:
            candidate = undone(text, (change,))
            if same(yamltext.load(manifest.path, candidate), documents):
                return candidate
        except (PatchDoesNotApply, BadManifest):
            continue
    return None


def template_path(kind: str) -> FieldPath:
    """Where a workload keeps the template of its pods; a Pod is its own."""
    return {"Pod": (), "CronJob": ("spec", "jobTemplate", "spec", "template")}.get(kind, ("spec", "template"))


def in_container(body: dict[str, Any], path: FieldPath, container: str) -> FieldPath:
    """The path with the container's name for its index: a live object may hold more containers than its manifest."""
    for depth, step in enumerate(path[:-1]):
        if step in ("containers", "initContainers") and isinstance(path[depth + 1], int) and container:
            named = (*path[: depth + 1], container, *path[depth + 2 :])
            if value_at(body, named[: depth + 2]) is not ABSENT:
                return named
    return path


def shown(value: Any) -> str:
    """A value for a sentence, short."""
    if value is ABSENT or value is None:
        return "nothing"
    text = str(value)
    return f"`{text}`" if len(text) <= 60 and "\n" not in text else f"`{text.splitlines()[0][:50]} …`"
