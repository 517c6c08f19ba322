"""Leases on workflows: who may run one. A claim raises the fence; what was claimed before can no longer write."""

from collections import OrderedDict
from datetime import timedelta

from sre_bot.domain.errors import LeaseHeld, LeaseLost, StaleWriter
from sre_bot.persistence import record
from sre_bot.persistence.database import Connection
from sre_bot.persistence.operator import refuse_paused
from sre_bot.persistence.record import Claim, Locked
from sre_bot.persistence.statements import sql

_REMEMBERED_RUNS = 10_000


async def claim(connection: Connection, workflow_id: str, owner: str, ttl: timedelta) -> Claim:
    """Take the lease. Raises ``LeaseHeld`` when somebody lives on it or the workflow has ended, ``Paused``.

    The row's lock comes first: a writer that passed its fence check has committed before the fence moves on.
    """
    locked = await record.lock(connection, workflow_id)
    if locked.standing.outcome is not None:
        raise LeaseHeld(f"workflow {workflow_id} has ended ({locked.standing.outcome}); there is nothing to run")
    return await claim_locked(connection, locked, owner, ttl)


async def claim_locked(connection: Connection, locked: Locked, owner: str, ttl: timedelta) -> Claim:
    """The same for a workflow that is locked already. Raises ``LeaseHeld`` or ``Paused``."""
    await refuse_paused(connection, locked.workflow_id)
    names = {"workflow_id": locked.workflow_id, "owner": owner, "ttl": ttl}
    cursor = await connection.execute(sql("leases.claim"), names)
    row = await cursor.fetchone()
    if row is None:
        raise LeaseHeld(f"workflow {locked.workflow_id} is being run by {locked.owner!r}")
    await connection.execute(sql("leases.begin"), names)
    await connection.execute(sql("record.forget_wakes"), names)
    return Claim(locked.workflow_id, owner, row["fence"])


async def renew(connection: Connection, held: Claim, ttl: timedelta) -> None:
    """Push the end of a lease to ``ttl`` from now. Raises ``LeaseLost`` when it is over or was claimed anew."""
    names = {"workflow_id": held.workflow_id, "owner": held.owner, "fence": held.fence, "ttl": ttl}
    cursor = await connection.execute(sql("leases.renew"), names)
    if cursor.rowcount == 0:
        raise LeaseLost(f"workflow {held.workflow_id}: {held.owner!r} no longer holds fence {held.fence}")


async def free(connection: Connection, held: Claim) -> bool:
    """Give a lease back; False when it was claimed anew meanwhile."""
    names = {"workflow_id": held.workflow_id, "owner": held.owner, "fence": held.fence}
    cursor = await connection.execute(sql("leases.free"), names)
    return cursor.rowcount == 1


class RunLeases:
    """Leases of runs that bring no fence: each is held in the name of the run's id and renewed by its writes.

    The fence that a run was given is remembered here, so that a run which slept while another had its turn is told.
    """

    def __init__(self, ttl: timedelta) -> None:
        self._ttl = ttl
        self._fences: OrderedDict[tuple[str, str], int] = OrderedDict()

    async def enter(self, connection: Connection, locked: Locked, run_id: str) -> Claim:
        """Take or renew the lease of a run. Raises ``LeaseHeld`` or ``StaleWriter``.

        Call ``remember`` with the answer once the transaction is committed.
        """
        if self._fences.get((locked.workflow_id, run_id), locked.fence) != locked.fence:
            raise StaleWriter(f"workflow {locked.workflow_id}: run {run_id} was replaced by fence {locked.fence}")
        if not locked.alive or locked.owner != run_id:
            return await claim_locked(connection, locked, run_id, self._ttl)
        held = Claim(locked.workflow_id, run_id, locked.fence)
        await renew(connection, held, self._ttl)
        return held

    def remember(self, held: Claim) -> None:
        """Keep the fence of a committed claim."""
        key = (held.workflow_id, held.owner)
        self._fences[key] = held.fence
        self._fences.move_to_end(key)
        if len(self._fences) > _REMEMBERED_RUNS:
            self._fences.popitem(last=False)
