"""Names of repositories, before they become part of a URL or a path."""

import re

from sre_bot.domain.errors import GitHubAPIError, Reason

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")


def checked_name(repository: str) -> str:
    """Return the name if it is ``owner/name`` as GitHub allows it. Raises ``GitHubAPIError`` (``NOT_FOUND``)."""
    if not _NAME.fullmatch(repository):
        raise GitHubAPIError(f"{repository!r} is no repository name; it is owner/name", reason=Reason.NOT_FOUND)
    return repository
