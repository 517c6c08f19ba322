"""Marks that let us find our own comments again.

A mark must survive what Jira does to a body and bother nobody who reads it. Entity properties would be hidden best, but
not every Jira keeps them; Cloud drops ``{anchor}`` and HTML comments when it turns wiki markup into a document. A link
survives everywhere: its text is one middle dot, its target the ticket itself with the mark as the fragment.
"""

import re
from urllib.parse import quote, unquote


def marked(body: str, marker: str, ticket_url: str) -> str:
    """A comment's body with a mark at its end, in wiki markup."""
    return f"{body.rstrip()}\n\n[·|{ticket_url}#{_fragment(marker)}]"


def carries(body: str, marker: str) -> bool:
    """Whether a body, as Jira gives it back, carries exactly this mark."""
    return re.search(rf"#{re.escape(_fragment(marker))}(?![\w.~%-])", body) is not None


def markers_in(body: str) -> tuple[str, ...]:
    """Every mark that a body carries, in order."""
    return tuple(unquote(found) for found in re.findall(r"#sre-bot-([\w.~%-]+)", body))


def _fragment(marker: str) -> str:
    return f"sre-bot-{quote(marker, safe='')}"
