"""The SQL of this package: ``queries/<file>.sql`` holds named statements under lines like ``-- name: claim``."""

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def _file(name: str) -> dict[str, bytes]:
    text = files("sre_bot.persistence").joinpath("queries", f"{name}.sql").read_text(encoding="utf-8")
    _, *parts = _NAME.split(text)
    return {part: statement.strip().encode() for part, statement in zip(parts[::2], parts[1::2], strict=True)}


def sql(name: str) -> bytes:
    """The statement ``file.name``. Raises ``KeyError`` when the file has no such statement."""
    file, _, statement = name.partition(".")
    return _file(file)[statement]
