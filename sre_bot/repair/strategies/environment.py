"""Environment variables: one that was taken out comes back with the value that it had. No value is ever made up."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from sre_bot.domain.errors import NoSafeFix
from sre_bot.domain.fix import Fix
from sre_bot.repair.case import Case, EarlierValue
from sre_bot.repair.expectations import container_of, variables_of
from sre_bot.repair.fields import ABSENT, FieldPath, position, value_at, with_value


def restored_variable(case: Case) -> Iterator[Fix]:
    """The entry of the container's environment, or the source of all of them, that an earlier version had."""
    container = _container(case)
    for variable in variables_of(case):
        lists = case.earlier_values(case.manifest, (*container, "env"))
        held = (earlier for earlier in lists if _place(earlier.value, variable) is not None)
        for earlier in islice(held, 1):
            body = _with_entry(case.manifest.body, (*container, "env"), earlier.value, variable)
            yield _restored(case, body, earlier, variable)
    for earlier in islice(case.earlier_values(case.manifest, (*container, "envFrom")), 1):
        if earlier.value is not ABSENT:
            body = with_value(case.manifest.body, (*container, "envFrom"), earlier.value)
            yield _restored(case, body, earlier, "its sources of variables")
    names = " or ".join(variables_of(case)[:3])
    raise NoSafeFix(f"no earlier version of {case.label()} sets {names}; no value is made up")


def _container(case: Case) -> FieldPath:
    name, path = container_of(case), case.field
    for depth, step in enumerate(path):
        if step in ("containers", "initContainers"):
            return (*path[: depth + 1], name or path[depth + 1])
    raise NoSafeFix("the finding names no container")


def _place(entries: Any, variable: str) -> int | None:
    return position(entries, variable) if isinstance(entries, list) else None


def _with_entry(body: dict[str, Any], path: FieldPath, earlier: list[Any], variable: str) -> Any:
    """The body with the earlier entry, after the nearest neighbour that it had and that is still there."""
    entries = value_at(body, path)
    kept: list[Any] = entries if isinstance(entries, list) else []
    place = _place(earlier, variable) or 0
    before = [at for entry in earlier[:place] if (at := _place(kept, str(entry.get("name")))) is not None]
    at = before[-1] + 1 if before else 0
    return with_value(body, path, [*kept[:at], earlier[place], *kept[at:]])


def _restored(case: Case, body: Any, earlier: EarlierValue, what: str) -> Fix:
    return case.fix(
        "restored_variable",
        ((case.manifest, body),),
        title=f"Give {case.label()} {what} again",
        explanation=f"{case.complaint} Commit {earlier.commit.sha[:12]} ({earlier.commit.subject!r}) took it "
        "out; it comes back as it was.",
        risk=f"Low: it was set so until {earlier.commit.authored_at:%Y-%m-%d %H:%M}.",
        undoes=earlier.commit,
    )
