"""Stories about workflows for Hypothesis to tell: each step is told to the record through its public doors, and to a
model that knows the law and nothing of how the record keeps it.
"""

from collections.abc import Awaitable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from langgraph.types import Command

from sre_bot.domain.errors import (
    BadInput,
    ErrorSeverity,
    ErrorType,
    GraphOwned,
    IllegalTransition,
    LeaseHeld,
    LeaseLost,
    RewindRefused,
    StaleVersion,
    StaleWriter,
    WorkflowEnded,
    WorkflowError,
    WorkflowExists,
)
from sre_bot.domain.states import IDLE, LAW, DetailedState, Outcome, Position
from sre_bot.domain.workflow import WorkflowState
from sre_bot.graph.review import ReviewReader
from sre_bot.persistence.history import rebuild
from sre_bot.persistence.locks import ResourceLocks
from sre_bot.persistence.manager import WorkflowStateManager
from sre_bot.persistence.operator import OperatorRequests
from sre_bot.persistence.replay import verify
from sre_bot.persistence.rewinds import Rewinds
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.watching import Watch
from sre_bot.persistence.workflows import Claim, Workflows
from sre_bot.tools.github import GitHub
from sre_bot.tools.jira import Jira
from sre_bot.worker.monitors import Monitors
from tests.law_graph import LawGraph, case
from tests.record_runs import TTL, expire_lease, under
from tests.story_cast import NEWS, NOBODY, PLANS, POSITIONS, TRIGGERS, Json, Known, News, Stage, T


class Stories(RuleBasedStateMachine):
    """What may happen to workflows; each rule is one event."""

    outside = Bundle("outside")
    driven = Bundle("driven")
    claims = Bundle("claims")

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage, self.database = stage, stage.database
        self.manager, self.workflows = WorkflowStateManager(stage.database), Workflows(stage.database)
        self.requests, self.rewinds = OperatorRequests(stage.database), Rewinds(stage.database)
        self.law = LawGraph()
        self.graph = self.do(self._compiled())
        self.prefix = f"T{uuid4().hex[:8].upper()}"
        self.monitors = Monitors(
            database=stage.database,
            workflows=self.workflows,
            locks=ResourceLocks(stage.database),
            watch=Watch(stage.database),
            jira=Jira(NOBODY, "", "", cloud=False),
            reviews=ReviewReader(GitHub(NOBODY, "token")),
            server=None,
            projects=(self.prefix,),
            owner="monitor",
            lease=TTL,
        )
        self.live: dict[str, str] = {}
        self.tickets: dict[str, str] = {}
        self.endings: dict[str, str] = {}
        self.touched: set[str] = set()
        self.post: list[News] = []
        self.all: list[Known] = []

    def do(self, work: Awaitable[T]) -> T:
        return self.stage.do(work)

    async def _compiled(self) -> Any:
        return self.law.compile(AuditedSaver(self.database))

    @rule(target=outside, number=st.integers(0, 2), severity=st.integers(0, 1))
    def a_program_opens_a_workflow(self, number: int, severity: int) -> Known | None:
        ticket = f"{self.prefix}-{number}"
        opening = self.manager.create_workflow_instance(ticket, {"severity": severity})
        if ticket in self.live:
            with pytest.raises(WorkflowExists):
                self.do(opening)
            return Known("") if not self.all else self.all[-1]
        known = Known(self.do(opening), context={"severity": severity})
        return self._opened(ticket, known)

    def _has_ended(self, workflow_id: str) -> None:
        """Its ticket may have a workflow again; one that has a newer one keeps that."""
        ticket = self.tickets[workflow_id]
        if self.live.get(ticket) == workflow_id:
            del self.live[ticket]

    def _opened(self, ticket: str, known: Known) -> Known:
        self.live[ticket] = known.workflow_id
        self.tickets[known.workflow_id] = ticket
        self.touched.add(known.workflow_id)
        self.all.append(known)
        return known

    @rule(
        known=outside,
        target_state=st.sampled_from(POSITIONS),
        legal=st.booleans(),
        choice=st.integers(0, 99),
        trigger=st.sampled_from(TRIGGERS),
        updates=st.dictionaries(st.sampled_from("abc"), st.integers(0, 2), max_size=2),
        behind=st.none() | st.integers(0, 3),
    )
    def it_takes_a_step(
        self,
        known: Known,
        target_state: Position,
        legal: bool,
        choice: int,
        trigger: str,
        updates: Json,
        behind: int | None,
    ) -> None:
        edges = [edge for edge in LAW if edge.source == known.position and not known.ended]
        if legal and edges:
            edge = edges[choice % len(edges)]
            target_state, trigger = edge.target, edge.trigger if edge.target == IDLE else trigger
        read = None if behind is None else max(1, known.version - behind)
        step = self.take_step(known, target_state, trigger, updates, read)
        self.touched.add(known.workflow_id)
        if refusal := self._refusal(known, target_state, trigger, updates, read):
            with pytest.raises(refusal):
                self.do(step)
            return
        self.do(step)
        known.position, known.version = target_state, known.version + 1
        known.context = {**known.context, **updates}
        known.changed_at.update(dict.fromkeys(updates, known.version))
        if target_state == IDLE:
            known.ended = True
            self._has_ended(known.workflow_id)

    def take_step(self, known: Known, to: Position, trigger: str, updates: Json, read: int | None) -> Awaitable[Any]:
        """The step through the public door; a test of this test puts a bug here."""
        return self.manager.transition_state(
            known.workflow_id,
            to.main,
            to.sub,
            to.detailed,
            trigger,
            "me",
            context_updates=updates,
            expected_version=read,
        )

    def _refusal(
        self, known: Known, target: Position, trigger: str, updates: Json, read: int | None
    ) -> type[Exception] | tuple[type[Exception], ...] | None:
        if known.ended:
            return WorkflowEnded
        stale = read is not None and any(known.changed_at.get(name, 0) > read for name in updates)
        triggers = [edge.trigger for edge in LAW if (edge.source, edge.target) == (known.position, target)]
        lawful = bool(triggers)
        if target == IDLE and (trigger in TRIGGERS[2:] or len(triggers) > 1):
            lawful = lawful and trigger in triggers
        if target == IDLE and trigger == "whatever":
            lawful = False
        if lawful and target != IDLE and not trigger and len(triggers) > 1:
            lawful = False
        if stale and not lawful:
            return (StaleVersion, IllegalTransition)
        return StaleVersion if stale else (None if lawful else IllegalTransition)

    @rule(known=outside, kind=st.sampled_from([ErrorType.TRANSIENT, ErrorType.PERMANENT]))
    def it_fails(self, known: Known, kind: ErrorType) -> None:
        error = WorkflowError(kind, ErrorSeverity.LOW, "no answer", known.workflow_id)
        self.touched.add(known.workflow_id)
        handling = self.manager.handle_workflow_error(error)
        if known.ended:
            with pytest.raises(WorkflowEnded):
                self.do(handling)
            return
        with suppress(IllegalTransition):
            state = self.do(handling)
            known.position, known.version = state.position, state.version

    @rule(target=driven, number=st.integers(3, 4), ending=st.sampled_from([*PLANS, "resolved", "fix_rejected"]))
    def a_ticket_is_assigned(self, number: int, ending: str) -> tuple[str, str] | None:
        """The webhook of an assignment, which may come twice, and long after the workflow began."""
        return self._assigned(f"{self.prefix}-{number}", ending), ending

    def _assigned(self, ticket: str, ending: str) -> str:
        """The workflow that an assignment leads to: one that lives already, or a new one."""
        try:
            state = self.do(self.monitors.open(ticket))
        except WorkflowExists as error:
            assert ticket in self.live
            return error.workflow_id
        assert ticket not in self.live
        self.live[ticket] = state.workflow_id
        self.tickets[state.workflow_id] = ticket
        self.endings[state.workflow_id] = ending
        return state.workflow_id

    @rule(
        one=driven,
        kinds=st.lists(st.sampled_from(NEWS), min_size=1, max_size=4),
        stumbles=st.sampled_from(["", "code_validation"]),
        picks=st.lists(st.integers(0, 9), min_size=1, max_size=6),
        once=st.booleans(),
    )
    def news_of_it_comes_after_it_has_moved_on(
        self, one: tuple[str, str], kinds: list[str], stumbles: str, picks: list[int], once: bool
    ) -> None:
        """Webhooks are reordered, late and repeated: what stays on the pile comes once more, maybe much later."""
        seen = self.do(self.workflows.get(one[0]))
        self.post += [News(kind, self.tickets[one[0]], seen) for kind in kinds]
        self.do(expire_lease(self.database, one[0]))
        self.a_worker_claims_and_runs_it(one, "worker-1", stumbles, lets_go=True)
        for pick in picks:
            if self.post:
                self._hears(self.post.pop(pick % len(self.post)) if once else self.post[pick % len(self.post)])

    def _hears(self, news: News) -> None:
        workflow_id = news.seen.workflow_id
        self.touched.add(workflow_id)
        if news.kind == "assignment":
            self._assigned(news.ticket, "resolved")
            return
        before = self.do(self.workflows.get(workflow_id))
        if news.kind == "review":
            self.do(self.workflows.wake(workflow_id))
            assert self.do(self.workflows.get(workflow_id)).version == before.version
            return
        expired = False
        with suppress(IllegalTransition):
            expired = self.do(self.hear_of_a_deadline(news.seen))
        after = self.do(self.workflows.get(workflow_id))
        assert not expired or before.version == news.seen.version, "a deadline that was seen earlier ends nothing later"
        assert expired == (after.version > before.version)

    @rule(one=driven, times=st.integers(1, 3))
    def something_happens_at_its_review(self, one: tuple[str, str], times: int) -> None:
        """A wake-up: early, late, repeated. It decides nothing."""
        before = self.do(self.workflows.get(one[0]))
        for _ in range(times):
            self.do(self.workflows.wake(one[0]))
        assert self.do(self.workflows.get(one[0])).version == before.version

    @rule(one=driven, chance=st.integers(0, 5))
    def its_time_is_up(self, one: tuple[str, str], chance: int) -> None:
        """A deadline that is noticed now, maybe of a workflow that has just ended; most are not."""
        if chance:
            return
        self.touched.add(one[0])
        state = self.do(self.workflows.get(one[0]))
        with suppress(IllegalTransition):
            self.do(self.monitors.expire(state))

    def hear_of_a_deadline(self, seen: WorkflowState) -> Awaitable[bool]:
        """What the bot does then; a test of this test puts a bug here."""
        return self.monitors.expire(seen)

    @rule(
        target=claims,
        one=driven,
        owner=st.sampled_from(["worker-1", "worker-2"]),
        stumbles=st.sampled_from(["", "", "code_validation", "review_in_progress"]),
        lets_go=st.booleans(),
    )
    def a_worker_claims_and_runs_it(self, one: tuple[str, str], owner: str, stumbles: str, lets_go: bool) -> Claim:
        try:
            claim = self.do(self.workflows.claim(one[0], owner, TTL))
        except LeaseHeld:
            return Claim(one[0], owner, 0)
        self._runs(claim, stumbles)
        if lets_go:
            with suppress(LeaseLost):
                self.do(self.workflows.release(claim, due_in=timedelta(0)))
        return claim

    @rule(claim=claims, stumbles=st.sampled_from(["", "code_validation"]))
    def a_worker_goes_on_under_a_claim_of_before(self, claim: Claim, stumbles: str) -> None:
        self._runs(claim, stumbles)

    def _runs(self, claim: Claim, stumbles: str) -> None:
        self.touched.add(claim.workflow_id)
        self.law.hooks = {stumbles: _stumble} if stumbles else {}
        with suppress(StaleWriter, LeaseLost):
            try:
                self.do(self._run(claim, self.endings[claim.workflow_id]))
            except ConnectionResetError:
                self.do(self._failed(claim))
        if self.do(self.workflows.get(claim.workflow_id)).outcome:
            self._has_ended(claim.workflow_id)

    async def _run(self, claim: Claim, ending: str) -> None:
        state = await self.workflows.get(claim.workflow_id)
        if state.outcome or state.detailed_state is DetailedState.ESCALATION:
            return
        if state.detailed_state is DetailedState.RETRY:
            await self.workflows.resume_retry(claim)
        snapshot = await self.graph.aget_state(under(claim))
        resume = Command(resume="wake-up") if snapshot.interrupts else None
        first = case(self.tickets[claim.workflow_id], PLANS[ending], ending)
        await self.graph.ainvoke(first if snapshot.created_at is None else resume, under(claim))

    async def _failed(self, claim: Claim) -> None:
        state = await self.workflows.get(claim.workflow_id)
        error = WorkflowError(ErrorType.TRANSIENT, ErrorSeverity.LOW, "no answer", claim.workflow_id)
        delay = timedelta(0) if state.retry_count < 2 else None
        at = state.detailed_state or DetailedState.TICKET_DETECTED
        await self.workflows.record_failure(claim, error, state=at, delay=delay)

    @rule(claim=consumes(claims))
    def a_worker_lets_go(self, claim: Claim) -> None:
        with suppress(LeaseLost):
            self.do(self.workflows.release(claim, due_in=timedelta(0)))

    @rule(one=driven)
    def its_worker_falls_asleep(self, one: tuple[str, str]) -> None:
        self.do(expire_lease(self.database, one[0]))

    @rule(claim=claims, outcome=st.sampled_from([Outcome.ESCALATED, Outcome.CANCELLED, Outcome.RESOLVED]))
    def a_worker_ends_it(self, claim: Claim, outcome: Outcome) -> None:
        self.touched.add(claim.workflow_id)
        with suppress(IllegalTransition, StaleWriter, LeaseLost):
            self.do(self.workflows.finish_escalation(claim, outcome))
            self._has_ended(claim.workflow_id)

    @rule(one=driven, name=st.sampled_from(["analysis:analysis_complete", "remediation:remediation_complete"]))
    def a_person_rewinds_it(self, one: tuple[str, str], name: str) -> None:
        """Mostly of one whose worker has fallen asleep, and may go on later."""
        self.touched.add(one[0])
        self.do(expire_lease(self.database, one[0]))
        with suppress(LeaseHeld, WorkflowEnded, BadInput, RewindRefused):
            self.do(self.rewinds.rewind(one[0], name, why="", asked_by="me", carry=keep_nothing))

    @rule(one=driven, to=st.sampled_from(POSITIONS))
    def a_program_meddles(self, one: tuple[str, str], to: Position) -> None:
        with pytest.raises(GraphOwned):
            self.do(self.manager.transition_state(one[0], to.main, to.sub, to.detailed))

    @invariant()
    def what_was_touched_is_sound(self) -> None:
        while self.touched:
            self._check(self.touched.pop())

    def _check(self, workflow_id: str) -> None:
        if not workflow_id:
            return
        assert self.do(verify(self.database, workflow_id)) == ()
        state = self.do(self.workflows.get(workflow_id))
        then = self.do(rebuild(self.database, workflow_id))
        assert then.version == state.version
        if state.version > 1:
            assert then.state["context"] == state.context
        for known in self.all:
            if known.workflow_id == workflow_id:
                assert (state.position, state.version, state.context) == (known.position, known.version, known.context)

    def teardown(self) -> None:
        for workflow_id in self.tickets:
            self._check(workflow_id)


def keep_nothing(_: DetailedState, __: Json, ___: Json, ____: tuple[Any, ...]) -> Json:
    """Nothing is done outside in these stories."""
    return {}


async def _stumble() -> None:
    raise ConnectionResetError
