"""Moments as people type them."""

from datetime import UTC, datetime

from sre_bot.domain.errors import BadInput

FORM = "2026-03-01, 2026-03-01T14:05 or 2026-03-01T14:05:30+01:00; UTC where no offset is given"


def moment(text: str) -> datetime:
    """A moment in ISO 8601, aware; UTC where it names no offset. Raises ``BadInput``."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput(f"{text!r} is no moment; write {FORM}") from error
    return read if read.tzinfo else read.replace(tzinfo=UTC)
