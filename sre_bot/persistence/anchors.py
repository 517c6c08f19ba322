"""Ends of chains that were kept elsewhere, compared with the log: a rewritten log cannot have contained them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from sre_bot.domain.errors import BadInput
from sre_bot.persistence import record
from sre_bot.persistence.database import Connection, Database
from sre_bot.persistence.statements import sql


@dataclass(frozen=True, slots=True)
class Anchor:
    """That the log of a workflow ended in this hash (hex; empty before its first step) when it was at this version."""

    workflow_id: str
    ticket_id: str
    version: int
    chain_hash: str


def anchors_in(lines: Iterable[str]) -> tuple[Anchor, ...]:
    """The anchors of an export, one JSON document on each line; other lines of an export are passed over.

    Raises ``BadInput`` on what is no export, and on one without an anchor.
    """
    found = tuple(anchor for number, line in enumerate(lines, 1) if (anchor := _anchor(number, line)))
    if not found:
        raise BadInput("there is no anchor in that file; `sre-bot audit --heads --json` writes them")
    return found


async def contradictions(database: Database, anchor: Anchor) -> tuple[str, ...]:
    """Why the log cannot have ended as an anchor says, as sentences; empty when it did."""

    async def read(connection: Connection) -> tuple[str, ...]:
        names = {"workflow_id": anchor.workflow_id, "version": anchor.version}
        cursor = await connection.execute(sql("history.hash_at"), names)
        row = await cursor.fetchone()
        if row is None:
            return (f"it is missing; an anchor knows it at version {anchor.version}",)
        if (row["version"], row["hash"].hex()) != (anchor.version, anchor.chain_hash):
            return (
                f"at version {anchor.version} its log does not end in the hash that an anchor says: it was rewritten",
            )
        return ()

    return await database.attempt(read)


def _anchor(number: int, line: str) -> Anchor | None:
    if not line.strip():
        return None
    try:
        document = json.loads(line)
        if document["kind"] != "head":
            return None
        anchor = Anchor(
            str(document["workflow_id"]), str(document["ticket_id"]), int(document["version"]), document["chain_hash"]
        )
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"line {number} is not one that `sre-bot audit --json` writes: {error!r}") from error
    if record.workflow_id_of(anchor.workflow_id) is None:
        raise BadInput(f"line {number} names no workflow: {anchor.workflow_id!r}")
    return anchor
