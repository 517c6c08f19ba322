"""Runs that a program starts by itself, by its own schedule, and whose failure is the last word on them.

A nightly or hourly run logs nothing until its next turn, so that its failure may be hours old and present all the same;
the rest of the program goes on beside it. The usual schedulers (Quartz, Spring's ``@Scheduled``, APScheduler, Celery
beat, node-cron, Sidekiq) start runs within a process, and loggers name the component that speaks
(https://docs.python.org/3/library/logging.html#logger-objects; Log4j and Logback name loggers by classes).
"""

import re
from datetime import datetime, timedelta

from sre_bot.detectors.loglines import is_grave, stamp_of

_RUN = re.compile(
    r"\b(?:run|job|task|batch|cron\w*|nightly|daily|hourly|weekly|monthly|schedul\w+|sweep|import|export|sync\w*|"
    r"reconciliation|settlement|rollup|digest|billing)\b",
    re.IGNORECASE,
)
_COMPONENT = re.compile(r"(?<![\w./:@-])[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+(?![\w/@-]|\.\w)")
_TRACE = "Traceback (most recent call last)"
_LONGEST = timedelta(hours=26)
"""A daily run, and two hours for its delay."""

_FAR = 20_000


def is_unfinished(text: str, header: str, now: datetime) -> bool:
    """Whether an error ended a scheduled run in a log, and nothing was heard of that run since.

    ``header`` is the error's own line, as it stands in the log.
    """
    where = text.rfind(header)
    announced = _announcing(text, where) if where >= 0 else ""
    at = stamp_of(announced) if announced else None
    if at is None or now - at > _LONGEST or not is_grave(announced) or not _RUN.search(announced):
        return False
    components = set(_COMPONENT.findall(announced))
    rest = text[where + len(header) :]
    return bool(components) and not any(
        one in line for line in rest.splitlines() if stamp_of(line) for one in components
    )


def _announcing(text: str, where: int) -> str:
    """The last line with a time before an error and its stack, or the error's own."""
    start = text.rfind(_TRACE, max(0, where - _FAR), where)
    end = text.find("\n", where)
    until = text[max(0, where - _FAR) : start] if start >= 0 else text[max(0, where - _FAR) : end if end >= 0 else None]
    return next((line for line in reversed(until.splitlines()) if stamp_of(line)), "")
