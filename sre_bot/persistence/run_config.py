"""What a run's configuration says to the saver: which thread, which namespace, and by what right it writes."""

from collections.abc import Mapping
from typing import Any

from langchain_core.runnables import RunnableConfig

from sre_bot.persistence.record import Place


def thread_of(config: RunnableConfig) -> str:
    """The thread's id; of a workflow it is the workflow's id."""
    return str(_configurable(config)["thread_id"])


def namespace_of(config: RunnableConfig) -> str:
    """The checkpoint namespace, empty for the root graph."""
    return _configurable(config).get("checkpoint_ns", "")


def fence_of(config: RunnableConfig) -> int | None:
    """The fence of the lease that the run holds; None when it brings none."""
    return _configurable(config).get("fence")


def run_id_of(config: RunnableConfig) -> str | None:
    """The id under which a server runs it; None for a plain call."""
    sources: tuple[Mapping[str, Any], ...] = (_configurable(config), config.get("metadata") or {}, config)
    found = [source.get("run_id") for source in sources]
    return next((str(run_id) for run_id in found if run_id), None)


def saved_as(config: RunnableConfig, place: Place) -> RunnableConfig:
    """The configuration that names a checkpoint of this thread."""
    return {
        "configurable": {
            "thread_id": _configurable(config)["thread_id"],
            "checkpoint_ns": place.checkpoint_ns,
            "checkpoint_id": place.checkpoint_id,
        }
    }


def _configurable(config: RunnableConfig) -> dict[str, Any]:
    return config.get("configurable") or {}
