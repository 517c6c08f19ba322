"""Foreign text made inert, for each place it is shown in. Pure.

Names, log lines, commit subjects and what models say are data: on a page they must look as they are and do nothing.
What would be markup is escaped; what has an effect even so (a mention, a reference that closes an issue) gets a
character without width in between. A bare address stays one: it shows where it leads.
"""

import re

NO_WIDTH = "\u200b"
"""Nobody sees it; for Jira and GitHub it ends a word."""

QUOTED_LIMIT = 240
"""Characters of a line that are quoted."""

_WIKI = re.compile(
    r"[\[\]{}|]"  # links, mentions, macros, tables
    r"|!(?=\S)"  # images
    r"|\?(?=\?)|(?<=\?)\?"  # citations
    r"|(?<![^\W_])[*_+^~](?=\S)|(?<=\S)[*_+^~](?![^\W_])"  # emphasis, which begins and ends with a word
    r"|(?<![^\W_])-(?=\S)|(?<=\S)-(?![^\W_])"
    r"|^(?:[ \t]*)(?:[*#-]+)(?=[ \t])",  # lists
    re.MULTILINE,
)
_WIKI_LINE = re.compile(r"^(?=[ \t]*(?:h[1-6]|bq)\.)", re.MULTILINE)

_CODE = re.compile(r"(?<!`)`(?!`)([^`\n]+)`(?!`)")
_MARKDOWN = re.compile(r"[\\`*\[\]<>&|~!]|(?<![^\W_])_|_(?![^\W_])")
_MARKDOWN_LINE = re.compile(r"^([ \t]*)([#+=-]|\d+(?=[.)]))", re.MULTILINE)

_ACTS = re.compile(
    r"(?<!\w)@(?=\w)"  # mentions
    r"|#(?=\d)|\bGH-(?=\d)|/(?:issues|pull|discussions)/(?=\d)"  # references, which may close what they name
    r"|\[(?=(?:skip|no|ci|actions)[ -])",  # [skip ci]
    re.IGNORECASE,
)


def wiki(text: str) -> str:
    """Foreign text inside a Jira comment, as it stands."""
    apart = text.replace("\\", f"\\{NO_WIDTH}")
    return _WIKI_LINE.sub(NO_WIDTH, _WIKI.sub(_escaped, apart))


def wiki_quote(text: str) -> str:
    """One foreign line in a Jira comment, set apart."""
    inside = re.sub(r"\{(?=noformat)", f"{{{NO_WIDTH}", _one_line(text), flags=re.IGNORECASE)
    return f"{{noformat:nopanel=true}}{inside}{{noformat}}"


def markdown(text: str) -> str:
    """Foreign text inside a pull request's text or comment; ``code`` between single backticks stays code."""
    parts: list[str] = []
    done = 0
    for code in _CODE.finditer(text):
        parts += [_prose(text[done : code.start()]), code[0]]
        done = code.end()
    return "".join([*parts, _prose(text[done:])])


def markdown_quote(text: str) -> str:
    """One foreign line in a pull request, as code."""
    line = _one_line(text).replace("`", "'")
    return f"`{line or ' '}`"


def plain(text: str) -> str:
    """Foreign text in a commit's message or a title: no markup there, but mentions and references work."""
    return _ACTS.sub(lambda match: f"{match[0]}{NO_WIDTH}", text)


def _prose(text: str) -> str:
    escaped = _MARKDOWN_LINE.sub(_line_escaped, _MARKDOWN.sub(lambda match: f"\\{match[0]}", text))
    return plain(escaped)


def _line_escaped(match: re.Match[str]) -> str:
    return f"{match[1]}{match[2]}\\" if match[2].isdigit() else f"{match[1]}\\{match[2]}"


def _escaped(match: re.Match[str]) -> str:
    return re.sub(r"([^ \t])", r"\\\1", match[0])


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return f"{line[:QUOTED_LIMIT]}…" if len(line) > QUOTED_LIMIT else line
