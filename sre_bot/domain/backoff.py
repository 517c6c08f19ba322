"""When a failed state is tried again: after 2 s, doubled each time, capped, and never before the server said."""

from datetime import timedelta

FIRST = timedelta(seconds=2)
LONGEST = timedelta(minutes=5)
SPREAD = timedelta(seconds=0.2)


def backoff(retry_count: int, retry_after: float | None = None, *, jitter: float = 0.0) -> timedelta:
    """The pause before the next try of a state that was tried again ``retry_count`` times already.

    ``retry_after`` is what the server asked for, in seconds, and is honoured beyond the cap. ``jitter`` is a random
    fraction (0 to 1) of 0.2 s, drawn by the caller.
    """
    doublings = min(retry_count, 32)
    pause = min(FIRST * 2**doublings, LONGEST) + SPREAD * jitter
    return max(pause, timedelta(seconds=retry_after or 0.0))
