"""Which of all live workflows somebody has to look at now: a look costs by those, not by how many are parked."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta

from sre_bot.domain.states import DetailedState
from sre_bot.domain.workflow import Runner, WorkflowState
from sre_bot.persistence.database import Connection, Database, Row
from sre_bot.persistence.statements import sql
from sre_bot.persistence.workflows import workflow_of

PAGE = 100
"""Workflows that are read at a time."""


class Watch:
    """Looks at live workflows, ``page`` at a time, in the order of their tickets."""

    def __init__(self, database: Database, page: int = PAGE) -> None:
        self._database = database
        self._page = page
        self._reviewed_to = ""

    async def next_in_review(self, runners: Sequence[Runner], at_most: int | None = None) -> tuple[WorkflowState, ...]:
        """The next ``at_most`` (else a page) of those that wait for a review; after the last one it begins again.

        Nothing in the record says which of them GitHub has news of, so all have their turn.
        """
        limit = at_most or self._page
        names = {"runners": list(runners), "limit": limit}
        found = await self._read("watch.in_review", self._reviewed_to, names)
        if not found and self._reviewed_to:
            found = await self._read("watch.in_review", "", names)
        self._reviewed_to = found[-1].ticket_id if len(found) == limit else ""
        return found

    def overdue(self) -> AsyncGenerator[WorkflowState]:
        """Those of our worker's whose deadline has passed and that have no excuse, all of them."""
        return self._all("watch.overdue", {})

    def at_a_server(self, grace: timedelta) -> AsyncGenerator[WorkflowState]:
        """LangGraph Server's that are overdue or took no step for ``grace``, all of them."""
        return self._all("watch.at_a_server", {"grace": grace})

    def to_remind(
        self, state: DetailedState, *, more_than: timedelta, at_most: timedelta, told: str
    ) -> AsyncGenerator[WorkflowState]:
        """Those parked in a state with so much time left; ``told`` begins the name of the effect that reminds them."""
        names = {"state": state.value, "more_than": more_than, "at_most": at_most, "told": told}
        return self._all("watch.to_remind", names)

    async def same_files(self, since: datetime | None) -> tuple[tuple[str, str], ...]:
        """Pairs of live workflows that write the same file and are not linked as ``overlaps``.

        Only where a fix was committed at or after ``since``; None compares all.
        """
        found = await self._rows("watch.same_files", {"since": since})
        return tuple((str(row["one"]), str(row["other"])) for row in found)

    async def _all(self, name: str, names: Row) -> AsyncGenerator[WorkflowState]:
        after = ""
        while page := await self._read(name, after, names):
            for state in page:
                yield state
            after = page[-1].ticket_id

    async def _read(self, name: str, after: str, names: Row) -> tuple[WorkflowState, ...]:
        """One page: the point through which every workflow comes that a look reads."""
        found = await self._rows(name, {"limit": self._page, **names, "after": after})
        return tuple(workflow_of(row) for row in found)

    async def _rows(self, name: str, names: Row) -> tuple[Row, ...]:
        async def work(connection: Connection) -> tuple[Row, ...]:
            cursor = await connection.execute(sql(name), names)
            return tuple(await cursor.fetchall())

        return await self._database.attempt(work)
