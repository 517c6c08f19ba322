"""What ring 2 asks after a scenario: the end that its incident has, what the bot made, whether all is still."""

import json
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sre_bot.persistence.database import Connection, Database
from sre_bot.persistence.replay import verify
from sre_bot.persistence.workflows import Workflows
from tests.crash.oracle import Finding

Json = dict[str, Any]

ENDINGS = {
    "orders-cannot-be-placed": "resolved",
    "site-feels-slow": "no_action_needed",
    "currency-rates-odd": "needs_human",
}
"""The incidents that ring 2 plays, and how each ends whatever happens on the way."""

RESUME_BAR = 20.0
"""O7: seconds from the strike to the first step that is recorded after it, of which the lease takes 3."""

END_BAR = 90.0
"""O7: seconds from the strike to the end of the workflow, a review and a deployment among them."""

_ROWS = (
    b"select workflow_id, version, outcome, encode(chain_hash, 'hex') as chain, due_at from workflow_states order by 1",
    b"select key, status, tries from effects order by 1",
    b"select resource from resource_locks order by 1",
    b"select thread_id, checkpoint_ns, checkpoint_id from checkpoints order by 1, 2, 3",
    b"select owner is null as free, attempts from leases order by workflow_id",
)


@dataclass(frozen=True, slots=True)
class Judge:
    """The oracle of ring 2, asked of the record and of the lab."""

    database: Database

    async def judge(self, incident: str, world: Json, expected: Json | None) -> Finding:
        """What one scenario left behind; ``expected`` is how much a run without a fault makes, None in that run."""
        (state,) = await Workflows(self.database).recent()
        wrong = list(await verify(self.database, state.workflow_id))
        if state.outcome != ENDINGS[incident]:
            wrong.append(f"O1 it stands at {state.detailed_state}, outcome {state.outcome}")
        effects = await rows(self.database, b"select name, round, status from effects order by 1, 2")
        unknown = sum(effect["status"] == "unknown" for effect in effects)
        wrong += [f"O2 effect {one['name']} is {one['status']}" for one in effects if one["status"] != "done"]
        locked = await rows(self.database, b"select * from resource_locks")
        wrong += [f"O5 {row['resource']} is still locked" for row in locked]
        (tickets,) = await rows(self.database, b"select count(*) as n from workflow_states")
        wrong += [f"O6 {tickets['n']} workflows for one ticket"] if tickets["n"] != 1 else []
        made = objects(world)
        lost, surplus = difference(amounts(world), expected)
        return Finding(sum(made.values()) - len(made) + surplus, lost, unknown, tuple(wrong))

    async def fingerprint(self, world: Json) -> str:
        """All that a recovery could change, in the record and outside."""
        found = [await rows(self.database, statement) for statement in _ROWS]
        return sha256(json.dumps([found, sorted(objects(world).items())], default=str).encode()).hexdigest()


def objects(world: Json) -> Counter[str]:
    """What the bot has made in the lab, and how often."""
    comments = [body for ticket in world["tickets"] for body in ticket["comments"]]
    made = Counter(f"comment {body}" for body in comments)
    made.update("pull request" for _ in world["pull_requests"])
    made.update("merge" for pull in world["pull_requests"] if pull["merged"])
    return made


def amounts(world: Json) -> Json:
    """How many of each kind of object there are."""
    counted = Counter(name.partition(" ")[0] for name in objects(world).elements())
    return dict(sorted(counted.items()))


def late(resumed: float, recovery: float) -> tuple[str, ...]:
    """O7: what took too long, in seconds from the strike; 0 where there was none."""
    wrong = [f"O7 it took {resumed:.1f} s until somebody went on"] if resumed > RESUME_BAR else []
    return (*wrong, *([f"O7 it took {recovery:.1f} s to the end"] if recovery > END_BAR else []))


async def rows(database: Database, statement: bytes, *parameters: Any) -> list[Json]:
    """The rows of a statement, whatever happens to the server meanwhile."""

    async def work(connection: Connection) -> list[Json]:
        return await (await connection.execute(statement, parameters)).fetchall()

    return await database.attempt(work)


def difference(made: Json, expected: Json | None) -> tuple[int, int]:
    """How many objects are missing, and how many there are too many of though no two are the same."""
    if expected is None:
        return 0, 0
    names = {*made, *expected}
    differences = [made.get(name, 0) - expected.get(name, 0) for name in names]
    return -sum(min(one, 0) for one in differences), sum(max(one, 0) for one in differences)
