"""Whether "nothing is wrong" may be said at all while a program's log says, line after line, that something is.

A cluster whose pods are all ready is well as far as Kubernetes can tell; what a program cannot do although it runs
stands only in its log. A trouble that began lately, or one that takes a good part of the log and of which the ticket
speaks, is no noise: somebody has to look, even where no rule says why.
"""

import re

from sre_bot.domain.finding import FaultKind
from sre_bot.reasoning.correlation import Correlation
from sre_bot.reasoning.unrest import Unrest

_LOUD, _NEW_SHARE = 10, 0.1
"""So many lines of a new trouble, and such a part of the log, are no noise."""

_LOUDER, _SHARE = 20, 0.2
"""The same for a trouble that may be a habit."""

_WORD = re.compile(r"[a-z]{5,}")
_EMPTY = frozenset(
    (
        *("about", "after", "again", "alarm", "alert", "before", "broken", "cannot", "cluster", "could", "customers"),
        *("deploy", "deployed", "deployment", "does", "error", "errors", "every", "everything", "failed", "failing"),
        *("fails", "failure", "healthy", "hours", "issue", "kubernetes", "level", "message", "minutes", "morning"),
        *("nothing", "people", "please", "problem", "release", "released", "request", "requests", "restart", "seems"),
        *("since", "something", "there", "today", "users", "warning", "warnings", "which", "yesterday", "service"),
    )
)
"""Words of tickets and of logs that name no subject."""


def is_complained_of(correlation: Correlation, said: FaultKind, complaint: str) -> bool:
    """Whether a workload that we deploy has a trouble that forbids the calm answer ``said``.

    ``complaint`` are a ticket's words. That a trouble was and is over is only denied by a new one.
    """
    ours = {manifest.object.namespace for manifest in correlation.source.manifests} - {""}
    heard = [one for one in correlation.unrest if not ours or one.object.namespace in ours]
    named = set(_WORD.findall(complaint.lower())) - _EMPTY
    if any(_is_new(one, named) for one in heard):
        return True
    return said == FaultKind.HEALTHY and any(_is_told(one, named) for one in heard)


def _is_new(one: Unrest, named: set[str]) -> bool:
    """Whether a workload complains of something new; of a new pod only errors count, or what the ticket means."""
    least = max(_LOUD, _NEW_SHARE * one.lines)
    return one.new >= least or (one.new + one.young >= least and (one.grave or _is_meant(one, named)))


def _is_told(one: Unrest, named: set[str]) -> bool:
    """Whether a workload complains much, and the ticket means it."""
    return one.present >= max(_LOUDER, _SHARE * one.lines) and _is_meant(one, named)


def _is_meant(one: Unrest, named: set[str]) -> bool:
    """Whether the ticket shares a word with a workload's name or complaints."""
    return bool((one.words | set(_WORD.findall(one.object.name.lower()))) & named)
