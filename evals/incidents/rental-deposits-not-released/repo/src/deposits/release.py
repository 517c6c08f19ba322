"""Which deposits go back today."""

from datetime import datetime, timedelta

WAIT = timedelta(days=30)


def ended_at(contract):
    """The moment a contract ended."""
    return datetime.fromisoformat(contract["ended_at"]).replace(tzinfo=None)


def is_due(contract, now):
    """Thirty days after the end, unless a claim is open."""
    if contract.get("open_claims"):
        return False
    return ended_at(contract) + WAIT <= now


def due(contracts, now=None):
    """Contracts whose deposit is released, oldest first."""
    now = now or datetime.utcnow()
    return sorted((one for one in contracts if is_due(one, now)), key=ended_at)
