"""Bringing Redis into step with Postgres: what moved just now, or everything.

Redis is read before Postgres, and what is written replaces exactly what was read. So a copy that is ahead of Postgres
is truly wrong and not merely newer than our look, and whoever was faster is not undone.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Set

from sre_bot.domain.workflow import WorkflowState
from sre_bot.persistence.database import Database
from sre_bot.persistence.hot.copies import Copies, Replacement
from sre_bot.persistence.hot.differences import DELIVERABLE, Copy, Difference, difference, published_until
from sre_bot.persistence.hot.states import encode
from sre_bot.persistence.hot.store import HotStore
from sre_bot.persistence.hot.truths import Truths

Found = Mapping[str, Difference | None]


class Mirror:
    """Redis as the image of Postgres. Every method raises ``HotStoreAway`` and ``psycopg.OperationalError``."""

    def __init__(self, database: Database, store: HotStore) -> None:
        self._truths = Truths(database)
        self._copies = Copies(store)

    async def deliver(self, workflow_ids: Collection[str]) -> None:
        """Pass on where workflows stand now and the steps that led there. What is wrong is left for ``compare``."""
        copies = await self._copies.of(workflow_ids)
        truths = await self._truths.of(workflow_ids)
        found = {name: difference(copies[name], truth) for name, truth in truths.items()}
        late = {name: one for name, one in found.items() if one in DELIVERABLE}
        await self._replace(copies, truths, late, late.keys())

    async def catch_up(self) -> None:
        """Pass on all that moved a short while ago: nobody may have been listening."""
        await self.deliver(await self._truths.lively())

    async def compare(self) -> Counter[Difference]:
        """Compare everything and put right what differs; returns how much of what had to be put right."""
        repaired = Counter({Difference.UNREADABLE: await self._copies.drop_strange()})
        repaired += await self._compare_states()
        repaired += await self._compare_locks()
        return repaired

    async def _compare_states(self) -> Counter[Difference]:
        lively = await self._truths.lively()
        copies = {**await self._copies.documents(), **await self._copies.of(lively)}
        truths = await self._truths.hot()
        ended = await self._truths.of(copies.keys() - truths.keys())
        found = await asyncio.to_thread(_differences, copies, truths, lively)
        repaired = await self._replace(copies, truths, found, lively)
        return Counter(one for name, one in repaired.items() if name not in ended)

    async def _compare_locks(self) -> Counter[Difference]:
        said = await self._copies.hints()
        return Counter({Difference.LOCK: await self._copies.replace_hints(said, await self._truths.holders())})

    async def _replace(
        self, copies: Mapping[str, Copy], truths: Mapping[str, WorkflowState], found: Found, lively: Set[str]
    ) -> dict[str, Difference]:
        """Put right what differs; returns what was, without what somebody else replaced meanwhile.

        Of those that are not ``lively`` only the state: nobody follows their steps.
        """
        differing = {name: one for name, one in found.items() if one is not None}
        keeping = {
            name: published_until(copies.get(name, Copy()), truths[name], one)
            for name, one in differing.items()
            if name in lively and name in truths
        }
        steps = await self._truths.steps({name: version or 0 for name, version in keeping.items()}) if keeping else {}
        replacements = [
            Replacement(
                workflow_id=name,
                read=copies.get(name, Copy()).document,
                keep=encode(truths[name]) if name in truths else b"",
                anew=name in keeping and keeping[name] is None,
                steps=steps.get(name, ()),
            )
            for name in differing
        ]
        done = await self._copies.replace(replacements)
        return {name: one for (name, one), replaced in zip(differing.items(), done, strict=True) if replaced}


def _differences(copies: Mapping[str, Copy], truths: Mapping[str, WorkflowState], lively: Set[str]) -> Found:
    return {
        name: difference(copies.get(name, Copy()), truths.get(name), with_stream=name in lively)
        for name in copies.keys() | truths.keys()
    }
