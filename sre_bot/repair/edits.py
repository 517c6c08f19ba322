"""Format-preserving edits: bring one document of a file to a wanted value, touching no line that need not change.

The caller says what the document shall hold; the difference to what it holds is applied to the text piece by piece
(comments, quoting, indentation, order and line endings stay). The result is read back and must hold exactly that value
and leave every other document as it was, else the edit is refused.
"""

import json
from typing import Any

import yaml

from sre_bot.domain.errors import BadManifest, NoSafeFix
from sre_bot.repair import yamltext
from sre_bot.repair.differences import Difference, first_difference
from sre_bot.repair.literals import spliced_literal
from sre_bot.repair.yamltext import Document, end_of

_MOST_STEPS = 200


def rewritten(path: str, text: str, index: int, wanted: Any) -> str:
    """The file's text with the value of document ``index`` brought to ``wanted``.

    Raises ``BadManifest`` when the file cannot be parsed, ``NoSafeFix`` when no edit of the text gives that value.
    """
    before = yamltext.load(path, text)
    edited = text
    for _ in range(_MOST_STEPS):
        difference = first_difference(yamltext.load(path, edited)[index], wanted)
        if difference is None:
            break
        edited = _applied(path, edited, index, difference)
    _check(path, edited, [*before[:index], wanted, *before[index + 1 :]])
    return edited


def _check(path: str, edited: str, wanted: list[Any]) -> None:
    try:
        found = yamltext.load(path, edited)
    except BadManifest as error:
        raise NoSafeFix(f"an edit of {path} would not parse: {error}") from error
    if found != wanted:
        raise NoSafeFix(f"{path} cannot be edited without changing more than the one value (an anchor or a merge key?)")


def _applied(path: str, text: str, index: int, difference: Difference) -> str:
    try:
        document = yamltext.compose(path, text)[index]
    except BadManifest as error:
        raise NoSafeFix(f"an edit of {path} would not parse: {error}") from error
    parent, node = _resolve(document.node, difference.path, path)
    match difference.action:
        case "set":
            return _set(document, parent, node, difference)
        case "insert":
            return _insert(document, parent, difference)
        case "delete":
            return _delete(document, parent, difference)


def _resolve(node: yaml.Node, path: tuple[str | int, ...], file: str) -> tuple[yaml.Node, yaml.Node | None]:
    """The collection that holds the last step, and the value there (None where it is to be inserted)."""
    parent, child = node, node
    for depth, step in enumerate(path):
        parent = child
        found = _child(parent, step)
        if found is None and depth < len(path) - 1:
            raise NoSafeFix(f"{file}: the value comes from an anchor or a merge key; it is not edited automatically")
        if found is None:
            return parent, None
        child = found
    return parent, child


def _child(node: yaml.Node, step: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode):
        return node.value[step] if isinstance(step, int) and step < len(node.value) else None
    at = _entry_index(node, step)
    return None if at is None else node.value[at][1]


def _entry_index(node: yaml.Node, key: str | int) -> int | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    found = [i for i, (name, _) in enumerate(node.value) if name.value == str(key)]
    return found[-1] if found else None


def _set(document: Document, parent: yaml.Node, node: yaml.Node | None, difference: Difference) -> str:
    text, value = document.text, difference.value
    if node is None:
        return _insert(document, parent, difference)
    is_scalar = isinstance(node, yaml.ScalarNode) and not isinstance(value, dict | list)
    if is_scalar and yamltext.is_block_scalar(node) and isinstance(value, str):
        return spliced_literal(text, node, value)
    if is_scalar and not (isinstance(value, str) and "\n" in value and not document.is_json):
        return _with_scalar(document, node, value, in_flow=_is_flow(parent))
    return _with_collection(document, parent, node, difference)


def _with_scalar(document: Document, node: yaml.Node, value: Any, *, in_flow: bool) -> str:
    text, start, end = document.text, node.start_mark.index, node.end_mark.index
    style = node.style if isinstance(node, yaml.ScalarNode) else None
    new = yamltext.scalar(value, style, flow=in_flow, is_json=document.is_json)
    gap = " " if start == end and text[start - 1 : start] == ":" else ""
    return text[:start] + gap + new + text[end:]


def _with_collection(document: Document, parent: yaml.Node, node: yaml.Node, difference: Difference) -> str:
    text, start, end = document.text, node.start_mark.index, end_of(node, document.text)
    if document.is_json or _is_flow(parent):
        return text[:start] + yamltext.flow(difference.value, is_json=document.is_json) + text[end:]
    step, indent = difference.path[-1], yamltext.sequence_indent(document)
    if isinstance(step, int):
        lines = yamltext.list_item(difference.value, sequence_indent=indent)
        return text[: _dash_before(text, start)] + _indented(text, lines, parent.start_mark.column) + text[end:]
    key = parent.value[_entry_index(parent, step)][0]
    lines = yamltext.entry(step, difference.value, sequence_indent=indent)
    lines[0] = text[key.start_mark.index : key.end_mark.index] + lines[0][len(yamltext.scalar(step)) :]
    return text[: key.start_mark.index] + _indented(text, lines, key.start_mark.column) + text[end:]


def _dash_before(text: str, start: int) -> int:
    return text.rindex("-", 0, start)


def _indented(text: str, lines: list[str], column: int) -> str:
    """Lines that go after ``column`` characters of an existing line; the first one is not indented."""
    newline = yamltext.newline_of(text)
    return newline.join([lines[0], *(" " * column + line if line else line for line in lines[1:])])


def _is_flow(node: yaml.Node) -> bool:
    return isinstance(node, yaml.CollectionNode) and bool(node.flow_style)


def _insert(document: Document, parent: yaml.Node, difference: Difference) -> str:
    if _is_flow(parent):
        return _insert_in_flow(document, parent, difference)
    text, step = document.text, difference.path[-1]
    indent = yamltext.sequence_indent(document)
    if isinstance(step, int):
        lines = yamltext.list_item(difference.value, sequence_indent=indent)
    else:
        lines = yamltext.entry(step, difference.value, sequence_indent=indent)
    column = parent.start_mark.column
    if difference.after < 0:
        start = parent.start_mark.index
        newline = yamltext.newline_of(text)
        return text[:start] + _indented(text, lines, column) + newline + " " * column + text[start:]
    previous = parent.value[difference.after]
    end = _end_of_line(text, end_of(previous[1] if isinstance(previous, tuple) else previous, text))
    return text[:end] + yamltext.newline_of(text) + " " * column + _indented(text, lines, column) + text[end:]


def _end_of_line(text: str, position: int) -> int:
    """Before the line break: a comment that trails the value stays with it."""
    end = text.find("\n", position)
    if end < 0:
        return len(text)
    return end - 1 if text[end - 1] == "\r" else end


def _insert_in_flow(document: Document, parent: yaml.Node, difference: Difference) -> str:
    text, step = document.text, difference.path[-1]
    new = yamltext.flow(difference.value, is_json=document.is_json)
    if isinstance(step, str):
        new = f"{yamltext.scalar(step, flow=True, is_json=document.is_json)}: {new}"
    if not parent.value:
        start = parent.start_mark.index
        return text[: start + 1] + new + text[parent.end_mark.index - 1 :]
    children = [child[0] if isinstance(child, tuple) else child for child in parent.value]
    gap = _gap_before(text, children[-1].start_mark.index)
    if difference.after < 0:
        start = children[0].start_mark.index
        return text[:start] + new + "," + gap + text[start:]
    previous = parent.value[difference.after]
    end = end_of(previous[1] if isinstance(previous, tuple) else previous, text)
    return text[:end] + "," + gap + new + text[end:]


def _gap_before(text: str, position: int) -> str:
    """The white space between a flow collection's separator and a child, a line break included."""
    line = text[text.rfind("\n", 0, position) + 1 : position]
    return (yamltext.newline_of(text) + line) if not line.strip() and "\n" in text[:position] else " "


def _delete(document: Document, parent: yaml.Node, difference: Difference) -> str:
    step = difference.path[-1]
    at = step if isinstance(step, int) else _entry_index(parent, step)
    if at is None or len(parent.value) < 2:
        raise NoSafeFix(f"what stands at {json.dumps(difference.path)} cannot be taken out alone")
    starts = [(child[0] if isinstance(child, tuple) else child).start_mark.index for child in parent.value]
    last = parent.value[at][1] if isinstance(parent.value[at], tuple) else parent.value[at]
    end = end_of(last, document.text)
    if _is_flow(parent):
        return _without_flow_child(document.text, parent, at, starts, end)
    return _without_lines(document.text, parent, at, starts, end)


def _without_flow_child(text: str, parent: yaml.Node, at: int, starts: list[int], end: int) -> str:
    if at == 0:
        return text[: starts[0]] + text[starts[1] :]
    previous = parent.value[at - 1]
    return text[: end_of(previous[1] if isinstance(previous, tuple) else previous, text)] + text[end:]


def _without_lines(text: str, parent: yaml.Node, at: int, starts: list[int], end: int) -> str:
    start = _dash_before(text, starts[at]) if isinstance(parent, yaml.SequenceNode) else starts[at]
    line_start = text.rfind("\n", 0, start) + 1
    if text[line_start:start].strip():
        following = _dash_before(text, starts[at + 1]) if isinstance(parent, yaml.SequenceNode) else starts[at + 1]
        return text[:start] + text[following:]
    line_end = text.find("\n", end)
    if line_end >= 0:
        return text[:line_start] + text[line_end + 1 :]
    return text[:line_start].rstrip("\r\n")
