"""Kubernetes objects in a repository's files: what is declared, where, and what differs between two texts."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple, cast

import yaml

from sre_bot.detectors.fields import dig, mapping, sequence, step, steps, text
from sre_bot.domain.cluster import KubernetesObject, ObjectRef

_SUFFIXES = (".yaml", ".yml", ".json")
_LARGEST = 1_000_000
_MOST_LEAVES = 20_000
_MOST_NODES = 200_000
_ABSENT = object()


class Declared(NamedTuple):
    """One object of one file. ``position`` counts the documents of the file, ``item`` those of a List in it."""

    path: str
    position: int
    thing: KubernetesObject
    item: int | None = None

    @property
    def ref(self) -> ObjectRef:
        """Its reference; the namespace is empty where the file names none."""
        metadata = mapping(self.thing, "metadata")
        return ObjectRef(
            kind=text(self.thing, "kind"), namespace=text(metadata, "namespace"), name=text(metadata, "name")
        )


class Difference(NamedTuple):
    """One field that differs; None stands for absent."""

    field: str
    before: str | None
    after: str | None


def is_manifest(path: str) -> bool:
    """Whether a file may hold manifests, by its name."""
    return path.endswith(_SUFFIXES)


def declared(path: str, content: str) -> tuple[Declared, ...]:
    """The Kubernetes objects of a file; none where it does not parse (a template, a half-written file)."""
    if not is_manifest(path) or len(content) > _LARGEST:
        return ()
    found: list[Declared] = []
    for position, document in enumerate(documents(content)):
        thing = cast("KubernetesObject", document) if isinstance(document, dict) else {}
        if text(thing, "kind").endswith("List") and isinstance(thing.get("items"), list):
            found += [Declared(path, position, item, n) for n, item in enumerate(thing["items"]) if _is_object(item)]
        elif _is_object(thing):
            found.append(Declared(path, position, thing))
    return tuple(found)


def _is_object(thing: Any) -> bool:
    return bool(text(thing, "kind") and text(thing, "apiVersion") and text(thing, "metadata", "name"))


def documents(content: str) -> tuple[Any, ...]:
    """The YAML documents of a text, timestamps as text; none where one does not parse or unfolds to a bomb."""
    try:
        if "&" in content and "*" in content and _unfolded(content) > _MOST_NODES:
            return ()
        return tuple(yaml.load_all(content, Loader=_PlainLoader))
    except (yaml.YAMLError, ValueError, RecursionError):
        return ()


def _unfolded(content: str) -> int:
    """How many nodes a text has once its aliases are followed: they can nest to billions."""
    known: dict[int, int] = {}

    def count(node: yaml.Node | None) -> int:
        if not isinstance(node, yaml.CollectionNode):
            return 1
        if id(node) not in known:
            known[id(node)] = 1
            parts = [part for pair in node.value for part in (pair if isinstance(pair, tuple) else (pair,))]
            known[id(node)] = 1 + sum(count(part) for part in parts)
        return known[id(node)]

    return sum(count(node) for node in list(yaml.compose_all(content, Loader=_PlainLoader)))


def differences(before: Any, after: Any, path: str = "") -> Iterator[Difference]:
    """The scalar fields in which two documents differ. Lists of named entries are compared by name, not by place."""
    yield from islice(_differences(before, after, path), _MOST_LEAVES)


def _differences(before: Any, after: Any, path: str) -> Iterator[Difference]:
    if before == after:
        return
    if isinstance(before, dict) or isinstance(after, dict):
        left, right = mapping(before), mapping(after)
        for key in sorted({*map(str, left), *map(str, right)}):
            yield from _differences(left.get(key, _ABSENT), right.get(key, _ABSENT), step(path, key))
    elif isinstance(before, list) or isinstance(after, list):
        yield from _list_differences(sequence(before), sequence(after), path)
    else:
        yield Difference(path, _shown(before), _shown(after))


def _list_differences(before: list[Any], after: list[Any], path: str) -> Iterator[Difference]:
    if not _is_named(before) or not _is_named(after):
        for place in range(max(len(before), len(after))):
            left = before[place] if place < len(before) else _ABSENT
            right = after[place] if place < len(after) else _ABSENT
            yield from _differences(left, right, step(path, place))
        return
    left = {text(item, "name"): (place, item) for place, item in enumerate(before)}
    right = {text(item, "name"): (place, item) for place, item in enumerate(after)}
    for name in sorted({*left, *right}):
        place = right[name][0] if name in right else left[name][0]
        old = left[name][1] if name in left else _ABSENT
        new = right[name][1] if name in right else _ABSENT
        yield from _differences(old, new, step(path, place))


def _is_named(items: list[Any]) -> bool:
    names = [text(item, "name") for item in items]
    return all(names) and len(set(names)) == len(names)


def _shown(value: Any) -> str | None:
    if value is _ABSENT or value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def line_of(content: str, position: int, field: str) -> int:
    """The line (from 1) of a field in a document of a file; of its nearest ancestor that exists; 0 where none does."""
    try:
        nodes = list(yaml.compose_all(content, Loader=_PlainLoader))
    except (yaml.YAMLError, ValueError, RecursionError):
        return 0
    node = nodes[position] if position < len(nodes) else None
    line = 0
    for part in steps(field):
        node, line = _into(node, part, line)
        if node is None:
            break
    return line


def _into(node: Any, part: str | int, line: int) -> tuple[Any, int]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if str(key.value) == str(part):
                return value, key.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part].start_mark.line + 1
    return None, line


def value_at(thing: KubernetesObject, field: str) -> Any:
    """The value of a field path in an object."""
    return dig(thing, *steps(field))


class _PlainLoader(yaml.CSafeLoader):
    """Reads timestamps as text, as Kubernetes does."""


_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
