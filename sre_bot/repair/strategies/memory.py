"""Memory: a limit that ordinary use fits in."""

from collections.abc import Iterator

from sre_bot.domain.fix import Fix
from sre_bot.repair.case import Case
from sre_bot.repair.conditions.workloads import amount
from sre_bot.repair.fields import ABSENT, value_at, with_value

_MOST = 8 * 2.0**30
"""No limit is raised beyond this without a person: 8 GiB."""


def doubled_limit(case: Case) -> Iterator[Fix]:
    """Twice the limit at which the container was killed; its request stays."""
    path = case.field
    limit = value_at(case.manifest.body, path) if path else ABSENT
    if limit is ABSENT or path[-2:] != ("limits", "memory") or not 0 < amount(limit) * 2 <= _MOST:
        return
    wanted = _doubled(str(limit))
    yield case.fix(
        "doubled_limit",
        ((case.manifest, with_value(case.manifest.body, path, wanted)),),
        title=f"Raise the memory limit of {case.label()} to {wanted}",
        explanation=f"{case.complaint} No earlier limit is known, so it is doubled from {limit}.",
        risk="Medium: how much is needed is not known. Nodes must have room; a leak would only take longer to show.",
    )


def _doubled(limit: str) -> str:
    digits = limit.rstrip("KMGTPEkmi")
    double = float(digits) * 2
    return f"{int(double) if double.is_integer() else double}{limit[len(digits) :]}"
