"""YAML and JSON as text with positions: documents, nodes, and how a value is written."""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

from sre_bot.domain.errors import BadManifest

_INT = re.compile(r"^(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+)$")
_FLOAT = re.compile(
    r"^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
_NUMBERS = (("tag:yaml.org,2002:int", _INT, "-+0123456789"), ("tag:yaml.org,2002:float", _FLOAT, "-+0123456789."))
_OTHERS = ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")


class _Loader(yaml.SafeLoader):
    """Scalars as Kubernetes reads them: no dates, no base-60 numbers."""


class _FastLoader(yaml.CSafeLoader):
    """The same on libyaml, many times faster."""


def _read_as_kubernetes(loader: Any) -> None:
    kept = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag in _OTHERS]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    loader.yaml_implicit_resolvers = kept
    for tag, pattern, first in _NUMBERS:
        loader.add_implicit_resolver(tag, pattern, list(first))


for _loader in (_Loader, _FastLoader):
    _read_as_kubernetes(_loader)


_MOST_VALUES = 200_000


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file: its node with positions in the file's text."""

    text: str
    node: yaml.Node
    is_json: bool


def load(path: str, text: str) -> list[Any]:
    """The values of all documents, shared between callers and never to be changed.

    Raises ``BadManifest`` that names file and line.
    """
    try:
        return list(_loaded(_readable(path, text)))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise bad_manifest(path, error) from error


@lru_cache(maxsize=4096)
def _loaded(text: str) -> tuple[Any, ...]:
    documents = tuple(yaml.load_all(text, Loader=_FastLoader))
    if "*" in text and _size(documents, {}) > _MOST_VALUES:
        raise ValueError("its anchors expand to too many values")
    return documents


def _size(value: Any, known: dict[int, int]) -> int:
    """How many values there are when every anchor is written out. Raises ``ValueError`` when one contains itself."""
    if not isinstance(value, dict | list | tuple):
        return 1
    if id(value) not in known:
        known[id(value)] = -1
        parts = list(value.values()) if isinstance(value, dict) else list(value)
        known[id(value)] = 1 + sum(_size(part, known) for part in parts)
    if known[id(value)] < 0:
        raise ValueError("an anchor contains itself")
    return known[id(value)]


def compose(path: str, text: str) -> list[Document]:
    """All documents with positions. Raises ``BadManifest`` that names file and line."""
    is_json = path.endswith(".json")
    try:
        return [Document(text, node, is_json) for node in yaml.compose_all(_readable(path, text), Loader=_Loader)]
    except (yaml.YAMLError, RecursionError) as error:
        raise bad_manifest(path, error) from error


def bad_manifest(path: str, error: Exception) -> BadManifest:
    """The error for a file that cannot be parsed, in one line."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    where = f"{path}, line {mark.line + 1}" if mark else path
    return BadManifest(f"{where}: {problem}; correct the file and reopen the ticket")


def _readable(path: str, text: str) -> str:
    """JSON may be indented with tabs, which YAML forbids; a blank for each keeps every position."""
    return text.replace("\t", " ") if path.endswith(".json") else text


def end_of(node: yaml.Node, text: str) -> int:
    """Where a node's own text ends: trailing blank lines and comments are not part of it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return end_of(last[1] if isinstance(last, tuple) else last, text)
    end = node.end_mark.index
    if is_block_scalar(node) and "+" not in header_of(node, text):
        return len(text[:end].rstrip())
    return end


def is_block_scalar(node: yaml.Node) -> bool:
    """Whether the text is written over several lines after ``|`` or ``>``."""
    return isinstance(node, yaml.ScalarNode) and node.style in ("|", ">")


def header_of(node: yaml.Node, text: str) -> str:
    """The rest of the line on which a block scalar begins (``|-``)."""
    return text[node.start_mark.index :].split("\n", 1)[0]


def sequence_indent(document: Document) -> int:
    """How far this document indents a list under its key: 2, or 0 where dashes stand under the key."""
    return _sequence_indent(document.node) or 0


def _sequence_indent(node: yaml.Node) -> int | None:
    children = [pair for pair in node.value if isinstance(pair, tuple)] if isinstance(node, yaml.MappingNode) else []
    for key, value in children:
        if isinstance(value, yaml.SequenceNode) and not value.flow_style and value.value:
            return value.start_mark.column - key.start_mark.column
    nested = [value for _, value in children] or (node.value if isinstance(node, yaml.SequenceNode) else [])
    return next((found for child in nested if (found := _sequence_indent(child)) is not None), None)


def newline_of(text: str) -> str:
    """The file's line ending."""
    return "\r\n" if "\r\n" in text else "\n"


def scalar(value: Any, style: str | None = None, *, flow: bool = False, is_json: bool = False) -> str:
    """One scalar on one line, in the given quoting style where that is possible."""
    if is_json or value is None or isinstance(value, bool | int | float):
        return json.dumps(value, ensure_ascii=False)
    text = str(value)
    if any(ord(char) < 32 for char in text) or (style == '"'):
        return json.dumps(text, ensure_ascii=False)
    if style != "'" and _is_plain(text, flow):
        return text
    return "'" + text.replace("'", "''") + "'"


def _is_plain(text: str, flow: bool) -> bool:
    sample = f"[{text}]" if flow else f"k: {text}\n"
    try:
        loaded = yaml.load(sample, Loader=_Loader)
    except yaml.YAMLError:
        return False
    return bool(text) and loaded == ([text] if flow else {"k": text})


def block(value: Any, *, sequence_indent: int = 2) -> list[str]:
    """A value as lines of block style; a scalar is one line, an empty collection is ``{}`` or ``[]``."""
    if isinstance(value, dict) and value:
        return [line for key, item in value.items() for line in entry(key, item, sequence_indent=sequence_indent)]
    if isinstance(value, list) and value:
        return [line for item in value for line in list_item(item, sequence_indent=sequence_indent)]
    return [json.dumps(value)] if isinstance(value, dict | list) else [scalar(value)]


def entry(key: Any, value: Any, *, sequence_indent: int = 2) -> list[str]:
    """``key: value`` as lines."""
    name = scalar(key)
    if isinstance(value, str) and "\n" in value.rstrip("\n") and "\r" not in value:
        return _literal(name, value)
    lines = block(value, sequence_indent=sequence_indent)
    if not isinstance(value, dict | list) or not value:
        return [f"{name}: {lines[0]}"]
    indent = sequence_indent if isinstance(value, list) else 2
    return [f"{name}:", *(f"{' ' * indent}{line}" for line in lines)]


def _literal(name: str, value: str) -> list[str]:
    chomp = "" if value.endswith("\n") else "-"
    indicator = "2" if value[:1] in " \n" else ""
    return [f"{name}: |{indicator}{chomp}", *(f"  {line}" if line else "" for line in value.splitlines())]


def list_item(value: Any, *, sequence_indent: int = 2) -> list[str]:
    """``- value`` as lines."""
    first, *rest = block(value, sequence_indent=sequence_indent)
    return [f"- {first}", *(f"  {line}" if line else line for line in rest)]


def flow(value: Any, *, is_json: bool) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        pairs = (f"{scalar(k, flow=True, is_json=is_json)}: {flow(v, is_json=is_json)}" for k, v in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(item, is_json=is_json) for item in value) + "]"
    return scalar(value, flow=True, is_json=is_json)
