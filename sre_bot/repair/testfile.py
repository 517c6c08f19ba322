"""The text of a stand-alone test file: docstring, imports, facts, functions, tests, a runner."""

import json
import re
import textwrap
from dataclasses import dataclass
from typing import Any

from sre_bot.repair.embedding import carried_source
from sre_bot.repair.guards import Check

DEPTH = 2
"""How many folders deep the file stands in the tree."""


@dataclass(frozen=True, slots=True)
class TestFile:
    """What goes into the file. ``tests`` pairs a test's sentence with the expression that must come out empty."""

    __test__ = False

    paragraphs: tuple[str, ...]
    constants: dict[str, Any]
    checks: tuple[Check, ...]
    tests: tuple[tuple[str, str], ...]
    reader: str = ""

    @property
    def text(self) -> str:
        """The Python source."""
        modules, functions = carried_source(*self.checks)
        body = [part for part in (self.reader.strip("\n"), functions) if part]
        names = [f"test_{slug(sentence, 90)}" for sentence, _ in self.tests]
        body += [_TEST.format(name=name, check=check) for name, (_, check) in zip(names, self.tests, strict=True)]
        body.append("\n".join(['if __name__ == "__main__":', *(f"    {name}()" for name in names), _PASSED]))
        head = "\n".join((*self._imports(modules, functions), "", _ROOT, *self._constants()))
        return "\n\n\n".join([f"{self._docstring()}\n\n{head}", *body]) + "\n"

    def _docstring(self) -> str:
        first, *rest = (_quoted(part) for part in self.paragraphs if part)
        return '"""' + "\n\n".join([first, *(textwrap.fill(part, 100) for part in rest)]) + '\n"""'

    def _imports(self, modules: tuple[str, ...], functions: str) -> list[str]:
        lines = [f"import {name}" for name in sorted({*modules, "sys"})] + ["from pathlib import Path"]
        lines += ["from typing import Any"] if re.search(r"\bAny\b", functions) else []
        return [*lines, "", "import yaml"] if "yaml." in self.reader else lines

    def _constants(self) -> list[str]:
        return [f"{name} = {as_source(value)}" for name, value in self.constants.items()]


_ROOT = f"ROOT = Path(__file__).resolve().parents[{DEPTH}]"
_PASSED = '    sys.stdout.write("passed\\n")'
_TEST = """\
def {name}():
    problems = {check}
    assert not problems, problems"""


def slug(text: str, longest: int = 40) -> str:
    """A name for a file or a function, cut between words."""
    words = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    return words if len(words) <= longest else words[:longest].rsplit("_", 1)[0]


def _quoted(text: str) -> str:
    """Untrusted text made safe inside a docstring."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return printable.replace("\\", "/").replace('"', "'")


def as_source(value: Any, indent: int = 0) -> str:
    """A plain value as Python source, one entry on a line where it would not fit on one."""
    if isinstance(value, dict):
        parts = [f"{as_source(key)}: {as_source(item, indent + 4)}" for key, item in value.items()]
        return _bracketed(parts, "{}", indent)
    if isinstance(value, list | tuple):
        return _bracketed([as_source(item, indent + 4) for item in value], "[]", indent)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _bracketed(parts: list[str], brackets: str, indent: int) -> str:
    line = brackets[0] + ", ".join(parts) + brackets[1]
    if len(line) + indent <= 90:
        return line
    pad = " " * indent
    return "\n".join([brackets[0], *(f"{pad}    {part}," for part in parts), pad + brackets[1]])


READ_OBJECTS = '''\
def read_objects():
    """The objects that the manifests declare; a file that cannot be read is another test's business."""
    paths = [ROOT / name for name in FILES] or sorted(
        path for path in (ROOT / FOLDER).rglob("*") if path.suffix in (".yaml", ".yml", ".json")
    )
    objects = []
    for path in paths:
        try:
            documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
        except (yaml.YAMLError, FileNotFoundError):
            continue
        for document in documents:
            if isinstance(document, dict) and "kind" in document:
                objects += document["items"] if str(document["kind"]).endswith("List") else [document]
    return objects
'''
"""Uses the constants ``FOLDER`` and ``FILES``; no files means all of the folder."""

READ_TEXTS = '''\
def read_texts():
    """The texts of the files, by path; a file that is gone is left out."""
    return {name: (ROOT / name).read_text(encoding="utf-8") for name in FILES if (ROOT / name).is_file()}
'''
"""Uses the constant ``FILES``."""
