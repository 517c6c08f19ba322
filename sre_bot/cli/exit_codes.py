"""What the exit codes mean, for all commands but ``diagnose``, whose 2 says that something was found."""

from sre_bot.domain.errors import (
    BadInput,
    LeaseHeld,
    LeaseLost,
    Paused,
    ResourceBusy,
    SreBotError,
    StaleVersion,
    StaleWriter,
    WorkflowExists,
    WorkflowNotFound,
)

DONE = 0
FAILED = 1
REFUSED = 2
BUSY = 3
INTERRUPTED = 130

MEANING = (
    "Exit codes: 0 done, and all is well; 1 something is wrong, or it could not be done; 2 it cannot be used as given: "
    "a wrong argument or setting, no such workflow; 3 somebody else has it now, or it is paused: try again later; "
    "130 interrupted."
)

_BUSY = (WorkflowExists, LeaseHeld, LeaseLost, Paused, ResourceBusy, StaleVersion, StaleWriter)
_REFUSED = (BadInput, WorkflowNotFound)


def code_of(error: Exception) -> int:
    """The exit code of a command that ended with an error."""
    if not isinstance(error, SreBotError):
        return FAILED
    return BUSY if isinstance(error, _BUSY) else REFUSED if isinstance(error, _REFUSED) else FAILED
