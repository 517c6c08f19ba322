"""The oracle: after any fault and its recovery, O1 to O8 must hold. Every sentence that it says is a disagreement."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sre_bot.domain.states import ERROR_STATES
from sre_bot.persistence.database import Database, Row
from sre_bot.persistence.effects import Effects
from sre_bot.persistence.locks import ResourceLocks
from sre_bot.persistence.replay import verify
from sre_bot.persistence.workflows import Workflows
from tests.crash.routes import effects_of, route_of
from tests.law_graph import working_edges

Json = dict[str, Any]
_ASKED = "cannot be looked up; a person must decide"
"""What a person was asked with; a worker that wakes later may still tell how the effect ended."""

RESUME_BAR = 20.0
"""O7: seconds from the start of a recovery to its end, on a machine that has other work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one scenario left behind."""

    duplicates: int
    lost: int
    unknown: int
    disagreements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Oracle:
    """Looks at the record and at what the outside has seen."""

    database: Database

    async def judge(self, workflow_id: str, made: Counter[str], recovery: float, *, refused: bool) -> Finding:
        """Judge one workflow; where a call was ``refused``, or an effect became unknown, a person must have it."""
        workflows = Workflows(self.database)
        state = await workflows.get(workflow_id)
        route = route_of(state.ticket_id)
        effects = await Effects(self.database).of(workflow_id)
        unknown = sum(effect["status"] == "unknown" for effect in effects)
        escalated = state.outcome == "escalated"
        wrong = list(await verify(self.database, workflow_id))
        why = [row["message"] for row in await workflows.errors(workflow_id)]
        asked = refused or unknown or any(_ASKED in message for message in why)
        expected_end = "escalated" if asked else route.ending or None
        if state.outcome != expected_end or (expected_end is None and state.due_at is not None):
            wrong.append(f"O1 it stands at {state.main_state}:{state.detailed_state}, outcome {state.outcome}: {why}")
        if not escalated:
            wrong += _steps_of(route.plan, route.ending, await _log(self.database, workflow_id))
        wrong += [f"O2 effect {effect['name']} is {effect['status']}" for effect in effects if _open(effect, made)]
        wrong += await self._held(workflow_id)
        wrong += [f"O7 it took {recovery:.1f} s to recover"] if recovery > RESUME_BAR else []
        wrong += await self._quiet(workflow_id)
        expected = [] if escalated else [_key(workflow_id, name) for name in effects_of(route.plan)]
        lost = [name for name in expected if name not in made]
        return Finding(sum(made.values()) - len(made), len(lost), unknown, tuple(wrong))

    async def accepted(self, ticket: str) -> tuple[str, ...]:
        """O6: one live workflow for a ticket that was accepted."""
        found = await Workflows(self.database).of_ticket(ticket)
        return () if len(found) == 1 else (f"O6 ticket {ticket} has {len(found)} workflows",)

    async def _held(self, workflow_id: str) -> list[str]:
        """O5: nothing is held by who is gone."""
        wrong = [f"O5 {lock['resource']} is still locked" for lock in await ResourceLocks(self.database).held()]
        async with self.database.transaction() as connection:
            cursor = await connection.execute(
                "select owner from leases where workflow_id = %s and owner <> '' and expires_at > clock_timestamp()",
                (workflow_id,),
            )
            row = await cursor.fetchone()
        return wrong + ([f"O5 the lease is still {row['owner']}'s"] if row and row["owner"] else [])

    async def _quiet(self, workflow_id: str) -> list[str]:
        """O8: another recovery finds nothing to do."""
        claims = await Workflows(self.database).claim_due("another recovery", timedelta(minutes=1), 100)
        return [f"O8 {claim.workflow_id} is due again" for claim in claims if claim.workflow_id == workflow_id]


def _key(workflow_id: str, effect: str) -> str:
    return f"{workflow_id} {effect}"


def _open(effect: Row, made: Counter[str]) -> bool:
    """Whether nobody knows how it stands: one that is only intended must not have been performed."""
    performed = any(key.endswith(f" {effect['name']} {effect['round']}") for key in made)
    return effect["status"] == "started" or (effect["status"] == "intended" and performed)


def _steps_of(plan: tuple[str, ...], ending: str, log: list[Row]) -> Iterator[str]:
    """O3, said without the product's own verifier: beside error handling the log is exactly the route, in order."""
    errors = {str(state) for state in ERROR_STATES}
    found = [
        (row["from_state"], row["to_state"], row["trigger_event"])
        for row in log
        if row["from_state"].rpartition(":")[2] not in errors and row["to_state"].rpartition(":")[2] not in errors
    ]
    if found != working_edges(plan, ending)[: None if ending else -1]:
        yield f"O3 the log is not the route: {found}"
    versions = sorted({row["version"] for row in log})
    if versions != list(range(2, len(versions) + 2)):
        yield f"O3 versions have gaps: {versions}"


async def _log(database: Database, workflow_id: str) -> list[Row]:
    async with database.transaction() as connection:
        cursor = await connection.execute(
            "select * from state_transitions where workflow_id = %s order by version, ordinal", (workflow_id,)
        )
        return await cursor.fetchall()
