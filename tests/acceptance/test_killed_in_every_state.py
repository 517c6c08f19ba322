"""kill -9 in each state, after its work was done and before that was recorded; then the right end all the same.

The moment is made exact by Postgres itself: a trigger holds the transaction that would leave the state.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sre_bot.domain.states import MEMBERS, DetailedState
from sre_bot.lab.client import LabProcess
from sre_bot.lab.reviewer import Act, review
from sre_bot.persistence.database import Database
from sre_bot.persistence.replay import verify
from tests.acceptance_stage import INCIDENTS, environment, running

GATE = """
create table gate (state text);
create function hold_at_the_gate() returns trigger language plpgsql as $$
begin
    if exists (select 1 from gate where new.from_state like '%:' || state) then
        perform pg_advisory_xact_lock_shared(4711);
    end if;
    return new;
end $$;
create trigger gate before insert on state_transitions for each row execute function hold_at_the_gate();
"""
WAITING = "select count(*) from pg_locks where locktype = 'advisory' and objid = 4711 and not granted"
DROP_THE_WAITING = (
    "select pg_terminate_backend(pid, 10000) from pg_locks where locktype = 'advisory' and objid = 4711 and not granted"
)

D = DetailedState
FIXED = [
    D.TICKET_DETECTED,
    *(state for members in MEMBERS.values() for state in members),
]
NOT_ON_THE_WAY = {D.TICKET_REJECTED, D.REJECTED, D.DEPLOYMENT_FAILED}


class Gatekeeper:
    """Lets nobody leave a state, tells when somebody tries, and opens."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute(GATE.encode())

    async def caught_leaving(self, state: DetailedState, serve: asyncio.subprocess.Process) -> None:
        while self._connection.execute(WAITING).fetchone() == (0,):
            assert serve.returncode is None, f"serve ended by itself before {state}"
            await asyncio.sleep(0.02)  # pg_locks can only be asked, it tells nobody

    def close_at(self, state: DetailedState) -> None:
        self._connection.execute("select pg_advisory_lock(4711)")
        self._connection.execute("insert into gate values (%s)", [state.value])

    def open(self) -> None:
        """What waits here belongs to a dead worker: its connection is dropped first, so that nothing of it commits."""
        self._connection.execute(DROP_THE_WAITING)
        self._connection.execute("delete from gate")
        self._connection.execute("select pg_advisory_unlock(4711)")

    def outcome(self) -> str | None:
        row = self._connection.execute("select outcome from workflow_states").fetchone()
        return row[0] if row else None

    def standing(self) -> Any:
        return self._connection.execute(
            "select detailed_state, due_at, now(), retry_count from workflow_states"
        ).fetchall()

    def close(self) -> None:
        self._connection.close()


async def killed_in_each(
    states: Sequence[DetailedState],
    incident: Path,
    script: Sequence[Act],
    url: str,
    data: Path,
    faults: Sequence[dict[str, Any]] = (),
    settings: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Serve one incident to its end with a kill in each state; what the world and the record hold then."""
    gate = Gatekeeper(url)
    async with await LabProcess.start(incident, speed=60) as lab:
        for fault in faults:
            await lab.control.add_fault(**fault)
        env = {**environment(lab.environment, url, data), **(settings or {})}
        reviewing = asyncio.create_task(_reviewed(lab, script))
        try:
            for state in states:
                gate.close_at(state)
                async with running(env, "serve") as serve:
                    await asyncio.wait_for(gate.caught_leaving(state, serve), 150)
                    serve.kill()
                    await serve.communicate()
                gate.open()
            await _served_to_the_end(gate, env)
        finally:
            reviewing.cancel()
            await asyncio.gather(reviewing, return_exceptions=True)
            gate.close()
        return {
            "world": await lab.control.state(),
            "requests": await lab.control.requests(),
            "record": await _record(url),
        }


async def _served_to_the_end(gate: Gatekeeper, env: dict[str, str]) -> None:
    async with running(env, "serve") as serve:
        try:
            await asyncio.wait_for(_ended(gate, serve), 150)
        except TimeoutError:
            serve.kill()
            _, said = await serve.communicate()
            pytest.fail(f"not ended after 150 s; it stands at {gate.standing()}; serve said:\n{said.decode()[-3000:]}")


async def _ended(gate: Gatekeeper, serve: asyncio.subprocess.Process) -> None:
    while gate.outcome() is None:
        assert serve.returncode is None, "serve ended by itself"
        await asyncio.sleep(0.05)


async def _reviewed(lab: LabProcess, script: Sequence[Act]) -> None:
    async for _ in review(lab.control, script):
        pass


async def _record(url: str) -> dict[str, Any]:
    with psycopg.connect(url) as connection:
        (row,) = connection.execute("select workflow_id::text, outcome, context from workflow_states").fetchall()
    async with Database.open(url) as database:
        problems = await verify(database, row[0])
    return {"workflow_id": row[0], "outcome": row[1], "context": row[2], "problems": problems}


def made(requests: list[dict[str, Any]]) -> Counter[str]:
    """How often each writing route succeeded."""
    return Counter(
        f"{one['method']} {one['path'].rpartition('/')[2]}"
        for one in requests
        if one["method"] in ("POST", "PUT") and 200 <= one["status"] < 300
    )


async def test_killed_in_each_state_on_the_way_the_ticket_is_resolved_and_nothing_happens_twice(
    database_url: str, tmp_path: Path
) -> None:
    from sre_bot.cli.demo import FIRST_INCIDENT, FIRST_REQUEST

    script = (Act("request_changes", FIRST_REQUEST), Act("approve"))
    states = [state for state in FIXED if state not in NOT_ON_THE_WAY]
    end = await killed_in_each(states, INCIDENTS / FIRST_INCIDENT, script, database_url, tmp_path)
    assert end["record"]["outcome"] == "resolved"
    assert end["record"]["problems"] == ()
    (pull,) = end["world"]["pull_requests"]
    assert pull["merged"]
    counts = made(end["requests"])
    assert counts["POST pulls"] == 1
    assert counts["PUT merge"] == 1
    comments = [body for ticket in end["world"]["tickets"] for body in ticket["comments"]]
    assert len(comments) == len(set(comments)) >= 3, json.dumps(comments, indent=1)


async def test_killed_while_rejecting_a_fix_the_ticket_is_told_once(database_url: str, tmp_path: Path) -> None:
    from sre_bot.cli.demo import FIRST_INCIDENT

    script = (Act("reject", "We do this differently."),)
    end = await killed_in_each([D.REJECTED], INCIDENTS / FIRST_INCIDENT, script, database_url, tmp_path)
    assert end["record"]["outcome"] == "fix_rejected"
    assert end["record"]["problems"] == ()


async def test_killed_while_taking_a_deployment_back_it_is_taken_back_once(database_url: str, tmp_path: Path) -> None:
    from sre_bot.cli.demo import FIRST_INCIDENT

    faults = [{"service": "argocd", "kind": "status", "method": "POST", "path": "/sync$", "status": 403, "times": 1}]
    script, incident = (Act("approve"),), INCIDENTS / FIRST_INCIDENT
    end = await killed_in_each([D.DEPLOYMENT_FAILED], incident, script, database_url, tmp_path, faults)
    assert end["record"]["outcome"] == "deployment_failed"
    assert end["record"]["problems"] == ()
    on_main = [one for one in end["requests"] if one["method"] == "PATCH" and one["path"].endswith("/refs/heads/main")]
    assert [one["status"] for one in on_main] == [200]


async def test_killed_while_rejecting_a_ticket_it_is_told_once(database_url: str, tmp_path: Path) -> None:
    from sre_bot.cli.demo import FIRST_INCIDENT

    elsewhere = {"NAMESPACES": "payroll,ledger", "ARGOCD_APPLICATIONS": "payroll"}
    incident = INCIDENTS / FIRST_INCIDENT
    end = await killed_in_each([D.TICKET_REJECTED], incident, (), database_url, tmp_path, settings=elsewhere)
    assert end["record"]["outcome"] == "ticket_rejected"
    assert [len(ticket["comments"]) for ticket in end["world"]["tickets"]] == [1]
    assert end["record"]["problems"] == ()


@pytest.mark.parametrize("state", [D.RETRY, D.ESCALATION], ids=str)
async def test_killed_while_handling_an_error_the_error_is_handled(
    state: DetailedState, database_url: str, tmp_path: Path
) -> None:
    from sre_bot.cli.demo import FIRST_INCIDENT

    status = 503 if state is D.RETRY else 403
    faults = [{"service": "kubernetes", "kind": "status", "path": "/pods", "status": status, "times": 1}]
    end = await killed_in_each([state], INCIDENTS / FIRST_INCIDENT, (Act("approve"),), database_url, tmp_path, faults)
    assert end["record"]["outcome"] == ("resolved" if state is D.RETRY else "escalated")
    assert end["record"]["problems"] == ()
