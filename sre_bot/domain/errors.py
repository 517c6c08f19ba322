"""What can go wrong, named.

SreBotError
├── IllegalTransition      a step that the law does not know
├── WorkflowNotFound       no workflow of that id
├── WorkflowExists         the ticket already has a live workflow
├── WorkflowEnded          the workflow is over; nothing moves it any more
├── RewindRefused          that point of the workflow's past cannot be returned to
├── ArtifactNotFound       no stored value has that hash
├── GraphOwned             the graph drives this workflow; nobody else may move it
├── StaleVersion           the optimistic lock: somebody wrote first
├── StaleWriter            the fence or the head has moved on: this writer was replaced
├── LeaseHeld / LeaseLost  somebody else runs the workflow / we no longer do
├── ResourceBusy           another workflow holds what we need; we wait in line
├── Paused                 people told the bot to begin nothing for now
├── NoTicket               a run was started without the ticket's id
├── WrongDurability        the graph was invoked in a mode that would lose transitions
├── ThreadsWouldBeLost     workflows wait in nodes that this version's graph does not have
├── NewerSchema            the database was brought up to date by a newer version of the bot
├── UndecodableState       a saved state cannot be read back
├── EffectUnknown          an outward call may have happened and nobody can tell
├── NoSafeFix              no repair exists that we would stand behind
├── RollbackNotVerified    a failed deployment whose rollback could not be confirmed
├── BackupFailed           a backup was not made, or cannot be restored
├── HotStoreAway           Redis is not there, or not now; Postgres knows everything it knows
├── BadInput               a person gave us something that cannot be used
│   ├── BadSetting, BadRecording, BadManifest
└── ServiceError           a foreign system answered wrongly or not at all; its ``reason`` says how
    └── JiraError, GitHubAPIError, KubernetesError, ArgoCDError, PrometheusError, ModelError,
        LangGraphServerError
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class ErrorType(StrEnum):
    """The class of an error; it decides whether and how often a state is tried again."""

    TRANSIENT = "transient"
    RATE_LIMITED = "rate_limited"
    PERMANENT = "permanent"
    CONFLICT = "conflict"
    NEEDS_HUMAN = "needs_human"
    POISON = "poison"


class ErrorSeverity(StrEnum):
    """How bad an error is for the workflow."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


MAX_RETRIES: dict[ErrorType, int] = {
    ErrorType.TRANSIENT: 5,
    ErrorType.RATE_LIMITED: 8,
    ErrorType.CONFLICT: 3,
    ErrorType.PERMANENT: 0,
    ErrorType.NEEDS_HUMAN: 0,
    ErrorType.POISON: 0,
}
"""Upper bound on retries in one state for each class; a workflow's own ``max_retries`` may lower it."""


class SreBotError(Exception):
    """The root of every error that this project raises on purpose."""

    error_type: ErrorType = ErrorType.PERMANENT
    severity: ErrorSeverity = ErrorSeverity.MEDIUM


class IllegalTransition(SreBotError, ValueError):
    """A step that the law does not know; the message names from, to and the legal targets."""


class WorkflowNotFound(SreBotError, ValueError):
    """No workflow has that id."""


class WorkflowExists(SreBotError):
    """The ticket already has a live workflow; ``workflow_id`` names it."""

    def __init__(self, ticket_id: str, workflow_id: str) -> None:
        super().__init__(f"ticket {ticket_id!r} already has the live workflow {workflow_id}")
        self.ticket_id = ticket_id
        self.workflow_id = workflow_id


class WorkflowEnded(SreBotError):
    """The workflow has its outcome; a new assignment of the ticket starts a new one."""


class RewindRefused(SreBotError):
    """That point cannot be returned to: what was done outside since then would contradict it, or nothing follows it."""


class ArtifactNotFound(SreBotError, LookupError):
    """No stored value has that hash."""


class GraphOwned(SreBotError):
    """The graph drives this workflow; only its nodes and its worker may move it."""


class StaleVersion(SreBotError):
    """The record was changed by somebody else between reading and writing."""

    error_type = ErrorType.CONFLICT


class StaleWriter(SreBotError):
    """This writer's fence or parent checkpoint is no longer the newest: another runner took over."""

    error_type = ErrorType.CONFLICT


class LeaseHeld(SreBotError):
    """Another runner holds the lease on this workflow."""

    error_type = ErrorType.CONFLICT


class LeaseLost(SreBotError):
    """Our lease ran out before we were done."""

    error_type = ErrorType.CONFLICT


class ResourceBusy(SreBotError):
    """Another workflow holds the repository or application; not a failure, the workflow waits in line."""

    error_type = ErrorType.CONFLICT
    severity = ErrorSeverity.LOW


class Paused(SreBotError):
    """People told the bot to begin nothing, at all or in this repository; not a failure, the workflow waits."""

    error_type = ErrorType.CONFLICT
    severity = ErrorSeverity.LOW


class NoTicket(SreBotError):
    """A run was started without ``ticket_id`` in its input."""


class WrongDurability(SreBotError):
    """The graph was invoked with a durability other than ``sync``, which can lose or reorder transitions."""


class ThreadsWouldBeLost(SreBotError):
    """Workflows wait in nodes that this version's graph does not have; LangGraph would end them without a word."""

    severity = ErrorSeverity.CRITICAL


class NewerSchema(SreBotError):
    """The database was brought up to date by a newer version of the bot, which this one must not write beside."""

    severity = ErrorSeverity.CRITICAL


class UndecodableState(SreBotError):
    """A saved state cannot be read back; running it again cannot help."""

    error_type = ErrorType.POISON
    severity = ErrorSeverity.CRITICAL


class EffectUnknown(SreBotError):
    """An outward call may have been performed and neither a search nor uniqueness can tell."""

    error_type = ErrorType.NEEDS_HUMAN
    severity = ErrorSeverity.HIGH


class NoSafeFix(SreBotError):
    """No repair was found that passes every check."""

    error_type = ErrorType.NEEDS_HUMAN


class RollbackNotVerified(SreBotError):
    """A failed deployment was rolled back, or could not be, and the cluster does not confirm it."""

    error_type = ErrorType.NEEDS_HUMAN
    severity = ErrorSeverity.CRITICAL


class BackupFailed(SreBotError):
    """A backup could not be made or cannot be restored; the message says why."""


class BadInput(SreBotError):
    """A person gave us something that cannot be used; the message says what and what to do."""


class BadSetting(BadInput):
    """A setting is missing or malformed."""


class BadRecording(BadInput):
    """An incident folder does not follow the format."""


class BadManifest(BadInput):
    """A manifest in the repository cannot be read."""

    error_type = ErrorType.NEEDS_HUMAN


class Reason(StrEnum):
    """Why a foreign system's answer was no use to us."""

    UNAVAILABLE = "unavailable"
    RATE_LIMITED = "rate_limited"
    NOT_AUTHORISED = "not_authorised"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    REFUSED = "refused"
    BAD_ANSWER = "bad_answer"


_TYPE_OF_REASON: dict[Reason, ErrorType] = {
    Reason.UNAVAILABLE: ErrorType.TRANSIENT,
    Reason.RATE_LIMITED: ErrorType.RATE_LIMITED,
    Reason.NOT_AUTHORISED: ErrorType.NEEDS_HUMAN,
    Reason.NOT_FOUND: ErrorType.NEEDS_HUMAN,
    Reason.CONFLICT: ErrorType.CONFLICT,
    Reason.REFUSED: ErrorType.PERMANENT,
    Reason.BAD_ANSWER: ErrorType.TRANSIENT,
}

_ADVICE: dict[Reason, str] = {
    Reason.NOT_AUTHORISED: "; check the account's token and its permissions, with `sre-bot doctor`",
    Reason.NOT_FOUND: "; check the settings that name it and what the account may see, with `sre-bot doctor`",
}


class HotStoreAway(SreBotError):
    """Redis is not configured, does not answer or answers wrongly; whoever asked goes on without it."""

    error_type = ErrorType.TRANSIENT
    severity = ErrorSeverity.LOW


class ServiceError(SreBotError):
    """A foreign system answered wrongly or not at all.

    ``status`` is the HTTP status, None when no answer came; ``retry_after`` is in seconds, where the server said so.
    """

    service = "service"

    def __init__(self, message: str, *, reason: Reason, status: int | None = None, retry_after: float | None = None):
        super().__init__(f"{self.service}: {message}")
        self.reason = reason
        self.status = status
        self.retry_after = retry_after
        self.error_type = _TYPE_OF_REASON[reason]

    @property
    def advice(self) -> str:
        """What a person can do about it, as the rest of a sentence; empty where it may pass by itself."""
        return _ADVICE.get(self.reason, "")

    @classmethod
    def from_status(cls, status: int, message: str, retry_after: float | None = None) -> Self:
        """The error for an HTTP status that is not a success."""
        reason = _reason_of(status, message, retry_after)
        return cls(f"{message} (HTTP {status})", reason=reason, status=status, retry_after=retry_after)


def _reason_of(status: int, message: str, retry_after: float | None) -> Reason:
    if status == 429 or (status == 403 and (retry_after is not None or "rate limit" in message.lower())):
        return Reason.RATE_LIMITED
    if status >= 500:
        return Reason.UNAVAILABLE
    by_status = {401: Reason.NOT_AUTHORISED, 403: Reason.NOT_AUTHORISED, 404: Reason.NOT_FOUND, 410: Reason.NOT_FOUND}
    if status in (405, 409, 412, 422):
        return Reason.CONFLICT
    return by_status.get(status, Reason.REFUSED)


class JiraError(ServiceError):
    """Anything Jira did."""

    service = "Jira"


class GitHubAPIError(ServiceError):
    """Anything GitHub did, over its API or over git."""

    service = "GitHub"


class KubernetesError(ServiceError):
    """Anything the Kubernetes API did."""

    service = "Kubernetes"


class ArgoCDError(ServiceError):
    """Anything Argo CD did."""

    service = "Argo CD"


class PrometheusError(ServiceError):
    """Anything the metrics server did."""

    service = "Prometheus"


class LangGraphServerError(ServiceError):
    """Anything LangGraph Server did."""

    service = "LangGraph Server"


class ModelError(ServiceError):
    """Anything the language model's endpoint did."""

    service = "model"


@dataclass(frozen=True, slots=True)
class WorkflowError:
    """An error as the record keeps it: class, severity, message, whose it is, and how often it was tried."""

    error_type: ErrorType
    severity: ErrorSeverity
    message: str
    workflow_id: str
    retry_count: int = 0
