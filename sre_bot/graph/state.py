"""The case file: what travels through the graph. Small, JSON-plain values; big things are artifacts, kept by digest."""

from typing import Annotated, Any

from typing_extensions import TypedDict

Json = dict[str, Any]


def merged(left: Json, right: Json) -> Json:
    """The reducer of ``context``: newer keys win; merging the same update twice changes nothing."""
    return {**left, **right}


class Start(TypedDict):
    """What a run is started with."""

    ticket_id: str


class Case(TypedDict):
    """One ticket's case. A key is there once the state that writes it has been passed.

    ``round`` grows with each re-entry of a sub-state; it is part of every effect's key. ``exit`` is the detailed state
    through which the newest sub-state was left. ``context`` is projected into ``workflow_states.context``. Values that
    end in a digest name an artifact.
    """

    ticket_id: str
    round: int
    exit: str
    outcome: str
    context: Annotated[Json, merged]

    ticket: Json
    refusal: str
    scope: Json

    snapshot: str
    history: str
    findings: str
    source: str
    correlation: str
    hypotheses: str
    diagnosis: str
    obstacle: str

    attempts: int
    base: str
    fix: str
    problems: list[str]
    regression_test: str
    test_report: str
    pull_request: Json

    decision: Json
    answered: list[int]

    merge_sha: str
    failure: str
