"""Keys and values in configuration files of any kind, each with its line and the part of the file that it stands in.

Read line by line, so that every value is found literally where it stands: properties, INI and TOML (``[section]``),
YAML and JSON (parts by their indentation, entries of lists apart), XML elements. A colon with no space after it
separates no YAML key (YAML 1.2.2, 7.4.2), so that ``host:port`` in a list stays whole.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sre_bot.detectors.fields import leaves, steps

_ASSIGNMENT = re.compile(r"""^\s*(?:-\s+|export\s+)*["']?([A-Za-z_][\w.-]*)["']?\s*[:=]\s*(.*?)\s*[,;]?\s*$""")
_PAIR = re.compile(r"""^\s*-\s+["']?[A-Za-z0-9][\w.-]*:\d{2,5}["']?\s*$""")
_HEADER = re.compile(r"^\s*\[{1,2}\s*([^\[\]\s](?:[^\[\]]*[^\[\]\s])?)\s*\]{1,2}\s*$")
_ELEMENT = re.compile(r"^\s*<([A-Za-z_][\w.-]*)>([^<>]+)</\1>\s*$")
_COMMENT = ("#", "//", ";")
_OPENING = ("", "{", "[", "|", ">", "|-", ">-")
_CLOSING = ("}", "},", "]", "],", "};", "---")
_LONGEST = 200_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One value. ``key`` is empty for a line that assigns nothing."""

    key: str
    value: str
    line: str
    section: str


def assignments(content: str) -> Iterator[Entry]:
    """The entries of a file, comments and lines that only open or close a part left out."""
    document = tuple(document_values(content.strip()))
    yield from document or _lines(content)


def _lines(content: str) -> Iterator[Entry]:
    parts: list[tuple[int, str]] = []
    header = ""
    for number, line in enumerate(content.splitlines()):
        bare = line.strip()
        if not bare or bare.startswith(_COMMENT) or bare in _CLOSING:
            continue
        if title := _HEADER.match(line):
            header, parts = title[1], []
            continue
        indent = len(line) - len(line.lstrip())
        item = bare.startswith("- ") or bare in ("{", "-")
        parts = [part for part in parts if part[0] < indent or (part[0] == indent and item and part[1][0] != "#")]
        if item:
            parts.append((indent, f"#{number}"))
        entry = _entry(line, "/".join((header, *(name for _, name in parts))))
        if entry.key and entry.value in _OPENING:
            parts.append((indent, entry.key))
        elif entry.value:
            yield entry


def _entry(line: str, section: str) -> Entry:
    bare = line.strip()
    if element := _ELEMENT.match(line):
        return Entry(element[1], element[2].strip(), bare, section)
    match = None if _PAIR.match(line) else _ASSIGNMENT.match(line)
    if match:
        return Entry(match[1], match[2].strip("\"'"), bare, section)
    return Entry("", bare, bare, section)


def document_values(value: str) -> Iterator[Entry]:
    """The scalars of a JSON document; none where a text is no such document."""
    if value[:1] not in ("{", "[") or len(value) > _LONGEST:
        return
    try:
        document: Any = json.loads(value)
    except (ValueError, RecursionError):
        return
    for path, found in leaves(document):
        if isinstance(found, str | int | float) and not isinstance(found, bool):
            names = [step for step in steps(path) if isinstance(step, str)]
            section = path.rpartition(".")[0] if path.count(".") else path.rpartition("[")[0]
            yield Entry(names[-1] if names else "", str(found), str(found), section)
