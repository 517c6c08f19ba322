"""What speaks against a commit that changed YAML which is no manifest: values of a chart, patches and generators.

Kustomize's ``patches`` and ``patchesJson6902`` (RFC 6902 operations), ``images``, ``replicas``,
``configMapGenerator`` (https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/), and the values files of
Helm charts, whose keys usually are named like the fields that they fill
(https://helm.sh/docs/chart_best_practices/values/).
"""

import re
from collections.abc import Iterator
from typing import Any

from sre_bot.detectors.fields import dig, steps, text
from sre_bot.domain.finding import FaultKind, Finding
from sre_bot.reasoning.charges import Charge, bears_parts, harmless
from sre_bot.reasoning.manifests import Difference, differences, documents, is_manifest
from sre_bot.reasoning.versions import Version

_TAGS = ("newTag", "tag", "newName", "digest", "repository", "image")
_SAME_REGISTRY = ("newTag", "tag", "digest")
_COUNTS = ("count", "replicaCount", "replicas", "minReplicas", "maxReplicas")


def overlay_charges(finding: Finding, version: Version) -> Iterator[Charge]:
    """The charges against one commit's change of one YAML file that holds no objects of its own."""
    before, after = documents(version.before or ""), documents(version.after or "")
    for place in range(max(len(before), len(after))):
        old, new = (one[place] if place < len(one) else None for one in (before, after))
        for change in differences(_unfolded(old), _unfolded(new)):
            yield from _charge(finding, version, change, _unfolded(new))


def is_read(version: Version) -> bool:
    """Whether a file is YAML that parses on both sides of a commit: a chart's templates do not."""
    texts = [one for one in (version.before, version.after) if one]
    return version.exact and is_manifest(version.path) and bool(texts) and all(documents(one) for one in texts)


def _unfolded(document: Any) -> Any:
    """A kustomization with its inline patches read as YAML."""
    if isinstance(document, dict):
        return {key: _patch(value) if key == "patch" else _unfolded(value) for key, value in document.items()}
    if isinstance(document, list):
        return [_unfolded(item) for item in document]
    return document


def _patch(value: Any) -> Any:
    read = documents(value) if isinstance(value, str) else ()
    return read[0] if len(read) == 1 and isinstance(read[0], dict | list) else value


def _charge(finding: Finding, version: Version, change: Difference, document: Any) -> Iterator[Charge]:
    where = _place(change.field, document)
    shown = f"{version.path} {change.field}: {change.before} -> {change.after}"
    name, leaf = _declared_name(finding), str((steps(change.field) or [""])[-1])
    named = _is_named(name, f"{where} {version.path}")
    elsewhere = not named and (_names_another(where, finding) or _has_a_part_for(name, document))
    if _is_it(finding, change, where) and not elsewhere:
        said = f"it set {change.field} in {version.path} to {change.after}"
        yield Charge(0.9 if named else 0.8, said, version.path, shown)
    elif named and bears_parts(finding, _parts(leaf, where)) and not harmless(finding, where, change):
        yield Charge(0.4, f"it changed {change.field} in {version.path}", version.path, shown)


def _parts(leaf: str, where: str) -> set[str]:
    """The parts of a manifest that a value fills: those that its place names, a tag the image, a count the replicas."""
    filled = {"image"} if leaf in _TAGS else {"replicas"} if leaf in _COUNTS else set[str]()
    return filled | set(re.split(r"[.\[\]/\s]+", where))


def _place(field: str, document: Any) -> str:
    """Where a change stands, with what its neighbours say: an operation's path, an entry's or target's name."""
    parts = steps(field)
    around = [dig(document, *parts[:depth]) for depth in range(len(parts))]
    said = [text(one, key) for one in around for key in ("path", "name")]
    said += [text(one, "target", "name") for one in around] + [text(one, "metadata", "name") for one in around]
    return " ".join([field, *filter(None, said)])


def _declared_name(finding: Finding) -> str:
    """The object's name without the hash that a generator adds."""
    generated = finding.object.kind in ("ConfigMap", "Secret")
    return re.sub(r"-[a-z0-9]{10}$", "", finding.object.name) if generated else finding.object.name


def _is_named(name: str, text: str) -> bool:
    return re.search(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", text) is not None


def _has_a_part_for(name: str, document: Any) -> bool:
    """Whether a document has a section of that name, so that its other sections are for others."""
    if isinstance(document, dict):
        return name in document or any(_has_a_part_for(name, value) for value in document.values())
    return isinstance(document, list) and any(_has_a_part_for(name, item) for item in document)


def _is_it(finding: Finding, change: Difference, where: str) -> bool:
    """The wrong value itself, under a key that is named like the finding's field."""
    if change.after is None or not finding.observed:
        return False
    parts = [one for one in steps(finding.field) if isinstance(one, str)]
    leaf = parts[-1] if parts else ""
    if leaf == "image" and finding.kind == FaultKind.REGISTRY_UNREACHABLE and steps(change.field)[-1] in _SAME_REGISTRY:
        return False  # another tag of the same registry
    if leaf == "image":
        return bool(set(steps(change.field)) & set(_TAGS)) and _ends(finding.observed, change.after)
    if leaf == "replicas":
        return any(one in where for one in _COUNTS) and change.after == finding.observed
    key = leaf.lower()
    literal, _, value = change.after.partition("=")
    named = key in where.lower().replace("/", " ") and change.after == finding.observed
    return bool(key) and (named or (literal.lower() == key and value == finding.observed))


def _ends(image: str, value: str) -> bool:
    return len(value) > 1 and (
        image == value or image.endswith((f":{value}", f"@{value}")) or image.startswith(f"{value}:")
    )


def _names_another(where: str, finding: Finding) -> bool:
    """Whether an operation or an entry is expressly for something else."""
    named = re.findall(r" ([a-z0-9][a-z0-9-]*)(?= |$)", where)
    return bool(named) and _declared_name(finding) not in named and finding.kind != FaultKind.INVALID_CONFIG
