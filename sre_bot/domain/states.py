"""The law: where a workflow can stand, and every step that is legal from there.

The three enums carry the names and values of the specification. ``LAW`` is the one table of legal transitions; the
graph, the database and the generated diagram are all compared with it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class MainState(StrEnum):
    """The outermost state: idle, at work on a ticket, or dealing with an error."""

    SYSTEM_IDLE = "system_idle"
    TICKET_PROCESSING = "ticket_processing"
    ERROR_HANDLING = "error_handling"


class TicketProcessingSubState(StrEnum):
    """The five sub-states of ticket processing; each is one compiled subgraph."""

    TICKET_ACCEPTANCE = "ticket_acceptance"
    ANALYSIS = "analysis"
    REMEDIATION = "remediation"
    REVIEW = "review"
    DEPLOYMENT = "deployment"


class DetailedState(StrEnum):
    """The innermost state; each one inside a sub-state is one LangGraph node of that name."""

    MONITORING = "monitoring"
    TICKET_DETECTED = "ticket_detected"

    VALIDATING_TICKET = "validating_ticket"
    ACCEPTING_TICKET = "accepting_ticket"
    TICKET_ACCEPTED = "ticket_accepted"
    TICKET_REJECTED = "ticket_rejected"

    DATA_COLLECTION = "data_collection"
    K8S_EVENT_ANALYSIS = "k8s_event_analysis"
    SOURCE_CODE_ANALYSIS = "source_code_analysis"
    CORRELATION = "correlation"
    ROOT_CAUSE_GENERATION = "root_cause_generation"
    CONFIDENCE_CALCULATION = "confidence_calculation"
    ANALYSIS_COMPLETE = "analysis_complete"

    FIX_GENERATION = "fix_generation"
    CODE_VALIDATION = "code_validation"
    TEST_GENERATION = "test_generation"
    PR_CREATION = "pr_creation"
    REMEDIATION_COMPLETE = "remediation_complete"

    AWAITING_REVIEW = "awaiting_review"
    REVIEW_IN_PROGRESS = "review_in_progress"
    CHANGES_REQUESTED = "changes_requested"
    APPROVED = "approved"
    REJECTED = "rejected"

    TRIGGERING_DEPLOYMENT = "triggering_deployment"
    DEPLOYMENT_IN_PROGRESS = "deployment_in_progress"
    VALIDATION_IN_PROGRESS = "validation_in_progress"
    DEPLOYMENT_COMPLETE = "deployment_complete"
    DEPLOYMENT_FAILED = "deployment_failed"

    ERROR_DETECTION = "error_detection"
    RETRY_EVALUATION = "retry_evaluation"
    RETRY = "retry"
    ESCALATION = "escalation"


class Outcome(StrEnum):
    """How a workflow ended; null while it lives."""

    RESOLVED = "resolved"
    TICKET_REJECTED = "ticket_rejected"
    DUPLICATE = "duplicate"
    NO_ACTION_NEEDED = "no_action_needed"
    NEEDS_HUMAN = "needs_human"
    FIX_REJECTED = "fix_rejected"
    DEPLOYMENT_FAILED = "deployment_failed"
    ESCALATED = "escalated"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


_D, _S = DetailedState, TicketProcessingSubState

MEMBERS: dict[TicketProcessingSubState, tuple[DetailedState, ...]] = {
    _S.TICKET_ACCEPTANCE: (_D.VALIDATING_TICKET, _D.ACCEPTING_TICKET, _D.TICKET_ACCEPTED, _D.TICKET_REJECTED),
    _S.ANALYSIS: (
        _D.DATA_COLLECTION,
        _D.K8S_EVENT_ANALYSIS,
        _D.SOURCE_CODE_ANALYSIS,
        _D.CORRELATION,
        _D.ROOT_CAUSE_GENERATION,
        _D.CONFIDENCE_CALCULATION,
        _D.ANALYSIS_COMPLETE,
    ),
    _S.REMEDIATION: (
        _D.FIX_GENERATION,
        _D.CODE_VALIDATION,
        _D.TEST_GENERATION,
        _D.PR_CREATION,
        _D.REMEDIATION_COMPLETE,
    ),
    _S.REVIEW: (_D.AWAITING_REVIEW, _D.REVIEW_IN_PROGRESS, _D.CHANGES_REQUESTED, _D.APPROVED, _D.REJECTED),
    _S.DEPLOYMENT: (
        _D.TRIGGERING_DEPLOYMENT,
        _D.DEPLOYMENT_IN_PROGRESS,
        _D.VALIDATION_IN_PROGRESS,
        _D.DEPLOYMENT_COMPLETE,
        _D.DEPLOYMENT_FAILED,
    ),
}
"""The detailed states of each sub-state, in the order of the diagram."""

SUB_STATE_OF: dict[DetailedState, TicketProcessingSubState] = {
    detailed: sub for sub, members in MEMBERS.items() for detailed in members
}

ERROR_STATES = (_D.ERROR_DETECTION, _D.RETRY_EVALUATION, _D.RETRY, _D.ESCALATION)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a workflow stands, written ``main:sub:detailed`` with the enums' values, empty where null."""

    main: MainState
    sub: TicketProcessingSubState | None = None
    detailed: DetailedState | None = None

    def __str__(self) -> str:
        return f"{self.main}:{self.sub or ''}:{self.detailed or ''}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``main:sub:detailed``. Raises ``ValueError`` on anything else."""
        main, sub, detailed = text.split(":")
        return cls(
            MainState(main),
            TicketProcessingSubState(sub) if sub else None,
            DetailedState(detailed) if detailed else None,
        )

    @classmethod
    def working(cls, detailed: DetailedState) -> Self:
        """The position of a detailed state inside ticket processing, or of ``ticket_detected``."""
        if detailed is DetailedState.TICKET_DETECTED:
            return cls(MainState.SYSTEM_IDLE, None, detailed)
        return cls(MainState.TICKET_PROCESSING, SUB_STATE_OF[detailed], detailed)

    def failing(self, error_state: DetailedState) -> "Position":
        """The position of an error state entered from here: main is ``error_handling`` and sub is kept."""
        return Position(MainState.ERROR_HANDLING, self.sub, error_state)


IDLE = Position(MainState.SYSTEM_IDLE)


@dataclass(frozen=True, slots=True)
class Edge:
    """One legal step: from, to, what triggers it, and who performs it."""

    source: Position
    target: Position
    trigger: str
    agent: str


def _edges() -> Iterator[Edge]:
    yield Edge(IDLE, Position.working(_D.TICKET_DETECTED), "new_assignment", "monitor")
    for source, target, trigger, agent in _WORKING_EDGES:
        yield Edge(Position.working(source), Position.working(target), trigger, agent)
    for source, outcomes, agent in _ENDINGS:
        for outcome in outcomes:
            yield Edge(Position.working(source), IDLE, outcome, agent)
    for detailed in (_D.TICKET_DETECTED, *SUB_STATE_OF):
        yield from _error_edges(Position.working(detailed))
    for sub in (None, *TicketProcessingSubState):
        yield from _error_handling_edges(sub)


def _error_edges(source: Position) -> Iterator[Edge]:
    yield Edge(source, source.failing(_D.ERROR_DETECTION), "error", "worker")
    escalation = source.failing(_D.ESCALATION)
    for trigger in ("expired", "cancelled"):
        yield Edge(source, escalation, trigger, "worker")
    if source.detailed is _D.FIX_GENERATION:
        yield Edge(source, escalation, "no_safe_fix", "fix_generation")
    if source.detailed is _D.DEPLOYMENT_FAILED:
        yield Edge(source, escalation, "rollback_not_verified", "deployment")


def _error_handling_edges(sub: TicketProcessingSubState | None) -> Iterator[Edge]:
    main = MainState.ERROR_HANDLING
    detection, evaluation, retry, escalation = (Position(main, sub, state) for state in ERROR_STATES)
    yield Edge(detection, evaluation, "error_classified", "worker")
    yield Edge(evaluation, retry, "retry_scheduled", "worker")
    yield Edge(evaluation, escalation, "retries_exhausted", "worker")
    for source in (detection, evaluation, retry):
        for trigger in ("expired", "cancelled"):
            yield Edge(source, escalation, trigger, "worker")
    for outcome in (Outcome.ESCALATED, Outcome.EXPIRED, Outcome.CANCELLED):
        yield Edge(escalation, IDLE, outcome, "worker")
    for detailed in MEMBERS[sub] if sub else (_D.TICKET_DETECTED,):
        yield Edge(retry, Position.working(detailed), "retry_due", "worker")


_WORKING_EDGES = (
    (_D.TICKET_DETECTED, _D.VALIDATING_TICKET, "ticket_detected", "ticket_acceptance"),
    (_D.VALIDATING_TICKET, _D.ACCEPTING_TICKET, "ticket_valid", "ticket_acceptance"),
    (_D.VALIDATING_TICKET, _D.TICKET_REJECTED, "ticket_invalid", "ticket_acceptance"),
    (_D.ACCEPTING_TICKET, _D.TICKET_ACCEPTED, "acceptance_recorded", "ticket_acceptance"),
    (_D.ACCEPTING_TICKET, _D.TICKET_REJECTED, "acceptance_refused", "ticket_acceptance"),
    (_D.TICKET_ACCEPTED, _D.DATA_COLLECTION, "accepted", "data_collection"),
    (_D.DATA_COLLECTION, _D.K8S_EVENT_ANALYSIS, "data_collected", "k8s_event_analysis"),
    (_D.DATA_COLLECTION, _D.SOURCE_CODE_ANALYSIS, "data_collected", "source_code_analysis"),
    (_D.K8S_EVENT_ANALYSIS, _D.CORRELATION, "events_analysed", "correlation"),
    (_D.SOURCE_CODE_ANALYSIS, _D.CORRELATION, "source_analysed", "correlation"),
    (_D.CORRELATION, _D.ROOT_CAUSE_GENERATION, "evidence_correlated", "root_cause"),
    (_D.ROOT_CAUSE_GENERATION, _D.CONFIDENCE_CALCULATION, "root_cause_generated", "root_cause"),
    (_D.CONFIDENCE_CALCULATION, _D.ANALYSIS_COMPLETE, "confidence_calculated", "root_cause"),
    (_D.ANALYSIS_COMPLETE, _D.FIX_GENERATION, "analysis_complete", "fix_generation"),
    (_D.FIX_GENERATION, _D.CODE_VALIDATION, "fix_generated", "code_validation"),
    (_D.CODE_VALIDATION, _D.TEST_GENERATION, "fix_valid", "test_generation"),
    (_D.CODE_VALIDATION, _D.FIX_GENERATION, "fix_invalid", "fix_generation"),
    (_D.TEST_GENERATION, _D.PR_CREATION, "tests_pass", "pr_creation"),
    (_D.TEST_GENERATION, _D.FIX_GENERATION, "tests_fail", "fix_generation"),
    (_D.PR_CREATION, _D.REMEDIATION_COMPLETE, "pr_created", "pr_creation"),
    (_D.REMEDIATION_COMPLETE, _D.AWAITING_REVIEW, "remediation_complete", "review"),
    (_D.AWAITING_REVIEW, _D.REVIEW_IN_PROGRESS, "review_activity", "review"),
    (_D.REVIEW_IN_PROGRESS, _D.AWAITING_REVIEW, "nothing_decisive", "review"),
    (_D.REVIEW_IN_PROGRESS, _D.CHANGES_REQUESTED, "changes_requested", "review"),
    (_D.REVIEW_IN_PROGRESS, _D.APPROVED, "approved", "review"),
    (_D.REVIEW_IN_PROGRESS, _D.REJECTED, "rejected", "review"),
    (_D.CHANGES_REQUESTED, _D.FIX_GENERATION, "changes_requested", "fix_generation"),
    (_D.APPROVED, _D.TRIGGERING_DEPLOYMENT, "approved", "deployment"),
    (_D.TRIGGERING_DEPLOYMENT, _D.DEPLOYMENT_IN_PROGRESS, "deployment_triggered", "deployment"),
    (_D.TRIGGERING_DEPLOYMENT, _D.AWAITING_REVIEW, "approval_lost", "review"),
    (_D.TRIGGERING_DEPLOYMENT, _D.DEPLOYMENT_FAILED, "deployment_refused", "deployment"),
    (_D.DEPLOYMENT_IN_PROGRESS, _D.VALIDATION_IN_PROGRESS, "deployed", "validation"),
    (_D.DEPLOYMENT_IN_PROGRESS, _D.DEPLOYMENT_FAILED, "deployment_error", "deployment"),
    (_D.VALIDATION_IN_PROGRESS, _D.DEPLOYMENT_COMPLETE, "validated", "validation"),
    (_D.VALIDATION_IN_PROGRESS, _D.DEPLOYMENT_FAILED, "validation_failed", "validation"),
)

_ENDINGS = (
    (_D.TICKET_REJECTED, (Outcome.TICKET_REJECTED,), "ticket_acceptance"),
    (
        _D.ANALYSIS_COMPLETE,
        (Outcome.NO_ACTION_NEEDED, Outcome.NEEDS_HUMAN, Outcome.DUPLICATE),
        "root_cause",
    ),
    (_D.REJECTED, (Outcome.FIX_REJECTED,), "review"),
    (_D.DEPLOYMENT_COMPLETE, (Outcome.RESOLVED,), "deployment"),
    (_D.DEPLOYMENT_FAILED, (Outcome.DEPLOYMENT_FAILED,), "deployment"),
)

LAW: tuple[Edge, ...] = tuple(_edges())
"""Every legal transition. Parallel edges between two positions differ in their trigger."""

_BY_PAIR: dict[tuple[Position, Position], tuple[Edge, ...]] = {}
for _edge in LAW:
    _pair = (_edge.source, _edge.target)
    _BY_PAIR[_pair] = (*_BY_PAIR.get(_pair, ()), _edge)


RESTORABLE = (_D.TICKET_ACCEPTED, _D.ANALYSIS_COMPLETE, _D.REMEDIATION_COMPLETE, _D.CHANGES_REQUESTED, _D.APPROVED)
"""The ends of sub-states behind which another one begins: what a person can rewind a workflow to."""


def rewinding(source: Position, target: Position) -> Edge | None:
    """The one legal way back, which no node and no worker takes: a person restores the end of a sub-state.

    It is open from wherever a workflow can be in ticket processing or in the handling of its errors; None elsewhere.
    """
    inside = source.main is not MainState.SYSTEM_IDLE and source.sub is not None
    back = target in [Position.working(state) for state in RESTORABLE]
    return Edge(source, target, "rewound", "operator") if inside and back else None


def edges_between(source: Position, target: Position) -> tuple[Edge, ...]:
    """The legal edges from one position to another, one for each trigger; empty when the step is illegal."""
    return _BY_PAIR.get((source, target), ())


def legal_targets(source: Position) -> tuple[Position, ...]:
    """The positions that may follow ``source``, in the order of the law, without repeats."""
    return tuple(dict.fromkeys(edge.target for edge in LAW if edge.source == source))
