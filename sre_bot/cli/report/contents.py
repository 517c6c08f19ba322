"""What a report says, as plain inert values: every foreign text in it has been through ``inert``."""

from datetime import datetime
from typing import Literal

from sre_bot.domain.cluster import Value

Relation = Literal["cause", "independent", "alternative", "possible", "calm"]
"""What a cause is to those before it: the first, one of its own beside them, or one instead of them; or no trouble.

``possible`` is what no rule holds and nothing excludes.
"""


class Piece(Value):
    """One piece of evidence: what was seen, where, and when."""

    id: str
    source: str
    subject: str
    locator: str
    excerpt: str
    at: datetime | None


class Change(Value):
    """A commit under suspicion. ``score`` is 0 to 1; ``when`` relates it to the onset, in words."""

    sha: str
    subject: str
    author: str
    at: datetime | None
    when: str
    score: float
    reason: str
    path: str
    evidence: tuple[Piece, ...]


class Proposal(Value):
    """What would help: a unified diff that passed the checks, or why there is none."""

    title: str = ""
    explanation: str = ""
    risk: str = ""
    diff: str = ""
    checks: tuple[str, ...] = ()
    why_not: str = ""


class Cause(Value):
    """One hypothesis. ``confidence`` is the probability that kind and object are right."""

    relation: Relation
    kind: str
    object: str
    container: str
    field: str
    observed: str
    expected: str
    message: str
    confidence: float
    since: datetime | None
    explains: tuple[str, ...]
    unexplained: tuple[str, ...]
    against: tuple[str, ...]
    hurts: tuple[str, ...]
    evidence: tuple[Piece, ...]
    changes: tuple[Change, ...]
    proposal: Proposal


class Moment(Value):
    """One entry of the timeline. ``telling`` says that it belongs to the first cause."""

    at: datetime
    kind: str
    subject: str
    text: str
    telling: bool


class Dependency(Value):
    """One arrow of the picture of who depends on whom."""

    source: str
    target: str
    why: str


class Report(Value):
    """The whole. ``objects``, ``events`` and ``logs`` count what was read; ``more`` the causes that are not shown.

    ``possible`` are weak alternatives, best first; they come besides the ``causes``.
    """

    source: str
    namespaces: tuple[str, ...]
    taken_at: datetime
    repository: str
    verdict: str
    healthy: bool
    summary: str
    onset: datetime | None
    causes: tuple[Cause, ...]
    more: int
    unseen: tuple[str, ...]
    timeline: tuple[Moment, ...]
    topology: tuple[Dependency, ...]
    objects: int
    events: int
    logs: int
    possible: tuple[Cause, ...] = ()
