"""The same incident in another order: objects, events, logs, series, files, and the files of each commit.

The order of commits stays, since it is history. The snapshot itself is shuffled, after it was read: what sorts on the
way in cannot hide that something behind it minds the order.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from sre_bot.domain.source import SourceHistory
from sre_bot.evals.case import Case

T = TypeVar("T")


def shuffle(case: Case, seed: int) -> Case:
    """The case in another order; the same seed always gives the same."""
    source = random.Random(seed)
    snapshot = case.snapshot
    fields = {name: _mixed(source, getattr(snapshot, name)) for name in ("objects", "events", "logs", "metrics")}
    history = _history(source, case.history) if case.history else None
    return replace(case, snapshot=snapshot.model_copy(update=fields), history=history)


def _history(source: random.Random, history: SourceHistory) -> SourceHistory:
    files = dict(_mixed(source, tuple(history.tree.files.items())))
    commits = tuple(one.model_copy(update={"changes": _mixed(source, one.changes)}) for one in history.commits)
    return history.model_copy(update={"tree": history.tree.model_copy(update={"files": files}), "commits": commits})


def _mixed(source: random.Random, things: Sequence[T]) -> tuple[T, ...]:
    return tuple(source.sample(things, len(things)))
