"""Foreign YAML and JSON made into what the Kubernetes API itself would print: text keys, plain values, bounded."""

import base64
import math
from dataclasses import dataclass
from typing import Any

DEEPEST = 60
LONGEST_TEXT = 1024 * 1024
"""Characters of one text that are kept; etcd holds no object above 1.5 MB."""

_UNPRINTABLE = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127), "�")


class NotPlain(ValueError):
    """A document that is nested too deep, or unfolds to more than anybody could read."""


@dataclass(slots=True)
class Plainness:
    """Makes documents plain. ``cut`` counts the texts that were too long to be kept whole.

    ``most`` bounds the values of a document: its length does, since each takes a character, unless aliases multiply.
    """

    most: int
    nodes: int = 0
    cut: int = 0

    def plain(self, value: Any, depth: int = 0) -> Any:
        """The value with text keys and JSON's kinds of values only. Raises ``NotPlain``."""
        self.nodes += 1
        if depth > DEEPEST or self.nodes > self.most:
            raise NotPlain("nested too deep" if depth > DEEPEST else "unfolds to too much")
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict):
            return {self._text(str(key)): self.plain(one, depth + 1) for key, one in value.items()}
        if isinstance(value, list | tuple | set):
            return [self.plain(one, depth + 1) for one in value]
        return _scalar(value)

    def _text(self, text: str) -> str:
        if len(text) > LONGEST_TEXT:
            self.cut += 1
            text = text[:LONGEST_TEXT]
        return text if text.isascii() else text.encode("utf-8", "replace").decode()


def printable(data: bytes) -> str:
    """Bytes as text: what is no UTF-8 and what no parser takes becomes the replacement character."""
    return data.decode("utf-8-sig", "replace").translate(_UNPRINTABLE)


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
