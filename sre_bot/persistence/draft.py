"""A checkpoint on its way into the database: the rows it becomes, and those it means for the record."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    get_checkpoint_id,
    get_serializable_checkpoint_metadata,
)
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.types import _DeltaSnapshot  # pyright: ignore[reportPrivateUsage]  # as the stock saver does
from orjson import Fragment

from sre_bot.persistence.audit import Entry, Standing, snapshot, source_of
from sre_bot.persistence.convoys import Call, Saved
from sre_bot.persistence.database import Row, dump_json
from sre_bot.persistence.record import Place
from sre_bot.persistence.run_config import namespace_of, thread_of
from sre_bot.persistence.transitions import one_task

_DELTAS = "counters_since_delta_snapshot"
_INLINE = (str, int, float, bool, type(None))

_JSON_PLAIN = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


@dataclass(frozen=True, slots=True)
class Draft:
    """What LangGraph wants saved."""

    config: RunnableConfig
    checkpoint: Checkpoint
    metadata: CheckpointMetadata
    new_versions: ChannelVersions

    @property
    def thread_id(self) -> str:
        """The thread that it belongs to."""
        return thread_of(self.config)

    @property
    def place(self) -> Place:
        """Where it will be."""
        return Place(namespace_of(self.config), self.checkpoint["id"])

    @property
    def parent(self) -> str | None:
        """The checkpoint that it continues."""
        return get_checkpoint_id(self.config)

    @property
    def source(self) -> str:
        """How it came about."""
        return source_of(self.metadata)

    @property
    def alone(self) -> bool:
        """Whether it lets exactly one task run, whose result the next checkpoint holds in full."""
        deltas = _DELTAS in self.metadata
        return not deltas and not self._snapshots() and one_task(self.checkpoint)

    def call(self, entry: Entry, fence: int, serde: SerializerProtocol) -> Call:
        """The call that saves it with what it enters into the record."""
        places, large = self._large(serde)
        arguments = {
            "workflow": self.thread_id,
            "namespace": namespace_of(self.config),
            "saved_id": self.checkpoint["id"],
            "parent": self.parent,
            "content": self._content(),
            "about": self._about(),
            "token": fence,
            "from_version": entry.before.version if self.source == "loop" else None,
            "entry": _step(entry),
            "point": self._point(entry),
            "places": places,
            "size": len(large),
        }
        return Call(orjson.dumps(arguments), large)

    def _large(self, serde: SerializerProtocol) -> tuple[Fragment | None, bytes]:
        """The values that are stored beside the checkpoint as one string of bytes, and where in it each is."""
        places: list[tuple[str, str, str, int, int]] = []
        contents: list[bytes] = []
        first, values = 1, self.checkpoint["channel_values"]
        for channel, version in self.new_versions.items():
            if channel in values and not isinstance(values[channel], _INLINE):
                kind, content = serde.dumps_typed(values[channel])
                places.append((channel, str(version), kind, first, len(content)))
                contents.append(content)
                first += len(content)
        return _text(places, ()) if places else None, b"".join(contents)

    def _content(self) -> Fragment:
        inline = self._inline()
        return _text(inline, inline["channel_values"].values())

    def _about(self) -> Fragment:
        about = get_serializable_checkpoint_metadata(self.config, self.metadata)
        return _text(about, about.values())

    def _inline(self) -> Row:
        """The checkpoint without the values that are stored beside it; a delta's snapshot leaves a mark."""
        values = self.checkpoint["channel_values"]
        small: Row = {channel: value for channel, value in values.items() if isinstance(value, _INLINE)}
        small.update(dict.fromkeys(self._snapshots(), True))
        return {
            **self.checkpoint,
            "channel_values": small,
            "channel_versions": self._versions(),
            "versions_seen": self._seen(),
        }

    def _versions(self) -> ChannelVersions:
        """The versions of all channels but of the arrows that were followed.

        Such a channel is empty. When its arrow is taken again, it gets a version newer than any.
        """
        values = self.checkpoint["channel_values"]
        versions = self.checkpoint["channel_versions"].items()
        return {name: version for name, version in versions if name in values or not name.startswith("branch:to:")}

    def _seen(self) -> dict[str, Row]:
        """What nodes have seen and nobody has written to since.

        LangGraph only asks whether a channel is newer than what a node has seen of it: once it is, it stays so, and
        what was seen may be forgotten. That is most of a long run's checkpoint.
        """
        now = self.checkpoint["channel_versions"]
        still_seen = (
            (node, {channel: version for channel, version in seen.items() if now.get(channel) == version})
            for node, seen in self.checkpoint["versions_seen"].items()
        )
        return {node: seen for node, seen in still_seen if seen}

    def _snapshots(self) -> list[str]:
        values = self.checkpoint["channel_values"]
        return [channel for channel, value in values.items() if isinstance(value, _DeltaSnapshot)]

    def _point(self, entry: Entry) -> Fragment | None:
        if entry.completed is None:
            return None
        state = entry.before.projection.position.detailed
        name = f"{entry.completed.value}:{state.value if state else ''}"
        return _fragment({"name": name, "snapshot": snapshot(entry.before, self.place, self.checkpoint)})


def _text(document: Any, members: Iterable[Any]) -> Fragment:
    """An object as JSON: quickly, where that is sure to be the same as what is written everywhere else.

    The quick way writes a number that is none as ``null`` and knows no half surrogate pairs; ``jsonb`` knows no NUL.
    """
    if float not in map(type, members):
        try:
            quick = orjson.dumps(document, option=_JSON_PLAIN)
        except TypeError:
            return _fragment(document)
        if b"\\u0000" not in quick:
            return Fragment(quick)
    return _fragment(document)


def _fragment(document: Any) -> Fragment:
    return Fragment(dump_json(document))


def moved(entry: Entry, saved: Saved, version: int) -> Standing:
    """Where a workflow stands after an entry, by what the database said. Shares nothing with the graph's own values."""
    context = entry.before.projection.context
    if "context" in entry.patch:
        context = json.loads(json.dumps(entry.after.context))
    return Standing(replace(entry.after, context=context, timeout_at=saved.deadline), version)


def write_rows(writes: Sequence[tuple[str, Any]], serde: SerializerProtocol) -> Row:
    """The parameters that hold what a task wrote. Special channels have a place each and replace what is there."""
    typed = [serde.dumps_typed(value) for _, value in writes]
    return {
        "replacing": all(channel in WRITES_IDX_MAP for channel, _ in writes),
        "places": [WRITES_IDX_MAP.get(channel, nth) for nth, (channel, _) in enumerate(writes)],
        "channels": [channel for channel, _ in writes],
        "types": [kind for kind, _ in typed],
        "blobs": [content for _, content in typed],
    }


def _step(entry: Entry) -> Fragment | None:
    """What ``save_checkpoint`` calls an entry; None where no step is taken."""
    if entry.move is None:
        return None
    columns = entry.after.columns()
    said: Row = {
        "steps": [(str(edge.source), str(edge.target), edge.trigger, edge.agent) for edge in entry.move.edges],
        "patch": entry.patch,
        "position": (columns["main_state"], columns["sub_state"], columns["detailed_state"]),
        "active": columns["active_states"],
    }
    if "context" in entry.patch:
        said["context"] = entry.after.context
    if entry.limit is not None:
        said["limit"] = entry.limit.total_seconds()
    if entry.after.outcome is not None:
        said["outcome"] = entry.after.outcome.value
    return _fragment(said) if "context" in said else _text(said, ())
