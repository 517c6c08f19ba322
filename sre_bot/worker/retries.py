"""Whether and when a failed state is tried again."""

import random
from datetime import timedelta

from sre_bot.domain.backoff import backoff
from sre_bot.domain.errors import (
    MAX_RETRIES,
    ErrorSeverity,
    ErrorType,
    ServiceError,
    SreBotError,
    WorkflowError,
)
from sre_bot.domain.workflow import WorkflowState


def delay_of(error: Exception, state: WorkflowState) -> timedelta | None:
    """How long to wait before the state is tried again; None when a person must take over."""
    if state.retry_count >= MAX_RETRIES[type_of(error)]:
        return None
    retry_after = error.retry_after if isinstance(error, ServiceError) else None
    return backoff(state.retry_count, retry_after, jitter=random.random())


def workflow_error(error: Exception, state: WorkflowState) -> WorkflowError:
    """An exception as the record keeps it. What we did not name ourselves is a defect, and severe."""
    named = isinstance(error, SreBotError)
    severity = error.severity if isinstance(error, SreBotError) else ErrorSeverity.HIGH
    advice = error.advice if isinstance(error, ServiceError) else ""
    message = f"{error}{advice}" if named else f"{type(error).__name__}: {error}"
    return WorkflowError(type_of(error), severity, message, state.workflow_id, state.retry_count)


def type_of(error: Exception) -> ErrorType:
    """The class of an error: its own where we named it, transient for the operating system's, else permanent."""
    if isinstance(error, SreBotError):
        return error.error_type
    return ErrorType.TRANSIENT if isinstance(error, OSError) else ErrorType.PERMANENT
