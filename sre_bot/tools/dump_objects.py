"""Kubernetes objects in the text of a dump: YAML or JSON, one document or many, Lists, one broken part or none."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import yaml

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.tools.plain_data import NotPlain, Plainness

if TYPE_CHECKING:
    from yaml import SafeLoader as _SafeLoader
else:
    _SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML may have been built without libyaml

_BETWEEN_DOCUMENTS = re.compile(r"^---(?:[ \t].*)?$|^\.\.\.[ \t]*$", re.MULTILINE)
_KIND = re.compile(r"^[\s\"'-]*kind[\"']?:\s*[\"']?(\w+)", re.MULTILINE)
_DEEPEST_YAML = 1_000
_AS_TEXT = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")


@dataclass(slots=True)
class Contents:
    """What a text held. ``lists`` are the kinds of its Lists, empty ones too; ``problems`` are clauses."""

    objects: list[KubernetesObject] = field(default_factory=list[KubernetesObject])
    lists: set[str] = field(default_factory=set[str])
    problems: list[str] = field(default_factory=list[str])
    cut: int = 0


class PlainLoader(_SafeLoader):
    """Reads timestamps and lone equals signs as text, as Kubernetes prints them."""


PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _AS_TEXT]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def contents_of(text: str) -> Contents:
    """The objects of a text. What cannot be read becomes a problem and stops nothing else."""
    contents = Contents()
    for document in _documents(text, contents):
        plainness = Plainness(most=len(text) + 1)
        try:
            plain = plainness.plain(document)
        except NotPlain as error:
            contents.problems.append(str(error))
            continue
        contents.cut += plainness.cut
        _collect(plain, contents)
    return contents


def _documents(text: str, contents: Contents) -> Iterator[Any]:
    if text.lstrip()[:1] in ("{", "["):
        yield from _json_documents(text, contents)
        return
    for part in _BETWEEN_DOCUMENTS.split(text):
        if not part.strip():
            continue
        try:
            yield _yaml_document(part)
        except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
            contents.problems.append(f"{_kinds(part)}{_complaint(error)}")


def _yaml_document(text: str) -> Any:
    """One document; the parser in C would run out of stack on what is nested very deep."""
    if _nesting(text) > _DEEPEST_YAML:
        raise NotPlain("nested too deep")
    return yaml.load(text, Loader=PlainLoader)


def _nesting(text: str) -> int:
    """At most how deep a YAML text is nested: brackets that open, and dashes and question marks in a row."""
    brackets = text.count("[") + text.count("{")
    rows = max((len(row) for row in re.findall(r"(?:[-?][ \t]+){8,}", text)), default=0)
    if brackets <= _DEEPEST_YAML:
        return brackets + rows
    depth = deepest = 0
    for sign in re.findall(r"[\[\]{}]", text):
        depth = max(0, depth + (1 if sign in "[{" else -1))
        deepest = max(deepest, depth)
    return deepest + rows


def _json_documents(text: str, contents: Contents) -> Iterator[Any]:
    """JSON documents one after the other, as ``kubectl cluster-info dump`` prints them."""
    decoder, at = json.JSONDecoder(strict=False), 0
    while (at := _next_start(text, at)) < len(text):
        try:
            document, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            contents.problems.append(f"{_kinds(text[at:])}{_complaint(error)}")
            return
        yield document


def _next_start(text: str, at: int) -> int:
    found = re.compile(r"\S").search(text, at)
    return found.start() if found else len(text)


def _collect(document: Any, contents: Contents, depth: int = 0) -> None:
    if not isinstance(document, dict):
        if isinstance(document, list) and depth == 0:
            for item in document:
                _collect(item, contents, depth + 1)
        return
    thing = cast(dict[str, Any], document)
    kind, items = thing.get("kind"), thing.get("items")
    if isinstance(kind, str) and kind.endswith("List") and (isinstance(items, list) or "metadata" in thing):
        _collect_items(thing, kind.removesuffix("List"), items, contents, depth)
    elif isinstance(kind, str) and isinstance(thing.get("apiVersion"), str):
        if is_object(thing):
            contents.objects.append(thing)
        else:
            contents.problems.append(f"a {kind[:60]} without a name, or of the wrong shape")


def _collect_items(thing: dict[str, Any], kind: str, items: Any, contents: Contents, depth: int) -> None:
    head = {"apiVersion": thing.get("apiVersion", "v1"), "kind": kind} if kind else {}
    if kind:
        contents.lists.add(kind)
    for item in items if isinstance(items, list) and depth < 3 else ():
        _collect({**head, **item} if isinstance(item, dict) else item, contents, depth + 1)


def is_object(thing: dict[str, Any]) -> bool:
    """Whether something has the shape that every Kubernetes object has."""
    metadata = thing.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
        return False
    parts = [thing.get(name) for name in ("spec", "status", *(("data", "stringData") * (thing["kind"] == "Secret")))]
    texts = [metadata.get(name) for name in ("namespace", "resourceVersion", "creationTimestamp")]
    maps = [metadata.get(name) for name in ("labels", "annotations")]
    return all(one is None or isinstance(one, dict) for one in (*parts, *maps)) and all(
        one is None or isinstance(one, str) for one in texts
    )


def _kinds(text: str) -> str:
    """The kinds that a broken text speaks of, so that it is known what was not seen."""
    found = dict.fromkeys(match[1][:60] for match in _KIND.finditer(text[:1_000_000]))
    return f"{' '.join(list(found)[:8])} in it not read: " if found else ""


def _complaint(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    if isinstance(error, RecursionError):
        return "nested too deep"
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
