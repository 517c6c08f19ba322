"""Which condition proves a fix: violated by the broken tree, met by the repaired one."""

from collections.abc import Iterator
from contextlib import suppress

from sre_bot.domain.errors import BadManifest, NoSafeFix
from sre_bot.domain.fix import Fix
from sre_bot.repair.case import Case
from sre_bot.repair.expectations import expected_guards
from sre_bot.repair.guards import Guard
from sre_bot.repair.traces import change_guards


def guards(case: Case, fix: Fix) -> Iterator[Guard]:
    """The conditions to try, the most telling first."""
    with suppress(NoSafeFix, BadManifest):
        yield from expected_guards(case)
    for edit in fix.edits:
        yield from change_guards(edit)


def guard_of(case: Case, fix: Fix) -> Guard:
    """The most telling condition that the broken tree violates. Raises ``NoSafeFix`` when none does."""
    for guard in guards(case, fix):
        if guard.problems(case.history.tree.files, case.history.path):
            return guard
    raise NoSafeFix("nothing wrong can be seen in the repository's tree, so that no repair of it could be proved")


def unmet(case: Case, fix: Fix) -> list[str]:
    """What the fix leaves violated; empty when the fault is gone from the tree. Raises ``NoSafeFix``."""
    return guard_of(case, fix).problems(fix.applied_to(case.history.tree.files), case.history.path)
