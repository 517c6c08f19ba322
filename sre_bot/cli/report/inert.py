"""Foreign text made fit to be shown: no terminal obeys it, no secret is in it, and nobody is misled by its order."""

import re

from sre_bot.domain.redaction import redact

_ACTING = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, escape among them; line feed and tab stay
    r"\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"  # what turns the order of characters round, or hides them
    r"\ud800-\udfff]"  # halves of characters, which no stream can encode
)


def inert(text: str) -> str:
    """The text with every acting character spelled out in hexadecimal and every recognisable secret masked."""
    return _ACTING.sub(_spelled, redact(text.replace("\r\n", "\n")))


def line(text: str, most: int = 400) -> str:
    """The same on one line, cut after ``most`` characters."""
    flat = " ".join(inert(text[: 4 * most]).split())
    return f"{flat[: most - 1]}…" if len(flat) > most else flat


def _spelled(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
