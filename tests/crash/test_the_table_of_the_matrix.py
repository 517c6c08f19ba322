"""The table of the matrix: every row names its tests, and every test that is named is there."""

import re
from pathlib import Path

HERE = Path(__file__).parents[2]
TABLE = HERE / "docs" / "crash-matrix.md"
_ROW = re.compile(r"^\| (?P<what>[^|]+) \| (?P<tests>[^|]*`tests/[^|]+) \|$", re.MULTILINE)
_TEST = re.compile(r"`(?P<file>tests/[\w/]+\.py)::(?P<name>test_\w+)`")
ROWS = 17


def test_every_row_of_the_table_names_tests_that_there_are() -> None:
    rows = {row["what"]: _TEST.findall(row["tests"]) for row in _ROW.finditer(TABLE.read_text(encoding="utf-8"))}
    named = [test for tests in rows.values() for test in tests]
    assert len(rows) >= ROWS
    assert [what for what, tests in rows.items() if not tests] == []
    assert [f"{file}::{name}" for file, name in named if not _is_there(HERE / file, name)] == []


def _is_there(file: Path, name: str) -> bool:
    return file.is_file() and f"def {name}(" in file.read_text(encoding="utf-8")
