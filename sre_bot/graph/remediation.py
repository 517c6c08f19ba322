"""Remediation: the smallest fix, checked, with a test that proves it, in a pull request."""

import asyncio
from dataclasses import dataclass
from typing import Any, Literal

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from sre_bot.agents.fix_generation import FixAgent
from sre_bot.domain.diagnosis import Diagnosis, Hypothesis
from sre_bot.domain.errors import NoSafeFix
from sre_bot.domain.fix import FileEdit, Fix, RegressionTest, TestReport, Validation
from sre_bot.domain.review import Decision
from sre_bot.domain.source import SourceHistory
from sre_bot.domain.ticket import Scope
from sre_bot.graph import messages
from sre_bot.graph.analysis import SourceReader
from sre_bot.graph.case_files import CaseFiles
from sre_bot.graph.exclusion import Exclusion
from sre_bot.graph.outward import Outward
from sre_bot.graph.state import Case, Json
from sre_bot.repair import regression_tests, validate
from sre_bot.tools.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Remediation:
    """The nodes of the remediation and what they need."""

    source: SourceReader
    sandbox: Sandbox | None
    files: CaseFiles
    fix_agent: FixAgent
    exclusion: Exclusion
    outward: Outward
    forbidden_paths: tuple[str, ...]
    fix_rounds: int

    def subgraph(self) -> CompiledStateGraph[Case, Any, Case, Case]:
        """The arrows; an invalid fix or a test that proves nothing leads back to ``fix_generation``."""
        return (
            StateGraph(Case)
            .add_node("fix_generation", self.fix_generation)
            .add_node("code_validation", self.code_validation)
            .add_node("test_generation", self.test_generation)
            .add_node("pr_creation", self.pr_creation)
            .add_node("remediation_complete", self.remediation_complete)
            .add_edge(START, "fix_generation")
            .add_edge("fix_generation", "code_validation")
            .add_conditional_edges("code_validation", after_code_validation)
            .add_conditional_edges("test_generation", after_test_generation)
            .add_edge("pr_creation", "remediation_complete")
            .add_edge("remediation_complete", END)
            .compile(name="remediation")
        )

    async def fix_generation(self, state: Case) -> Json:
        """Make a fix for the repository as it is now. Raises ``NoSafeFix``."""
        attempts = state.get("attempts", 0) + 1
        if attempts > self.fix_rounds:
            raise NoSafeFix(f"{self.fix_rounds} fixes were tried and none was valid: {'; '.join(state['problems'])}")
        history = await self.source.history(Scope.model_validate(state["scope"]))
        fix = await self.fix_agent.generate(
            await self._hypothesis(state),
            history,
            request=Decision.model_validate(state["decision"]) if state.get("decision") else None,
            previous=await self.files.load_if(state.get("fix"), Fix),
            problems=tuple(state.get("problems", ())),
        )
        return {
            "attempts": attempts,
            "history": await self.files.save(history),
            "base": history.tree.sha,
            "fix": await self.files.save(fix),
            "context": {"generated_fix": {"title": fix.title, "strategy": fix.strategy, "diff": fix.diff[:4_000]}},
        }

    async def code_validation(self, state: Case) -> Json:
        """Check the fix before anybody sees it."""
        validation = await self._validation(state)
        return {"problems": list(validation.problems)}

    async def test_generation(self, state: Case) -> Json:
        """Write the regression test and run it on the broken and on the repaired tree, in the sandbox only."""
        fix, history = await self._fix_and_history(state)
        hypothesis = await self._hypothesis(state)
        candidates = await asyncio.to_thread(regression_tests, fix, hypothesis, history, state["ticket_id"])
        test, report = await self._proven(candidates, fix, history)
        problems = (
            [] if report.valid or not report.ran else [f"the regression test proves nothing: {report.output[-500:]}"]
        )
        return {
            "regression_test": await self.files.save(test),
            "test_report": await self.files.save(report),
            "problems": problems,
            "context": {"regression_test": {"path": test.path, "ran": report.ran, "valid": report.valid}},
        }

    async def pr_creation(self, state: Case, config: RunnableConfig) -> Json:
        """Commit the fix and its test on our branch and open, or bring up to date, the one pull request."""
        await self.exclusion.hold(config, f"repository:{state['scope']['repository']}")
        fix, history = await self._fix_and_history(state)
        test = await self.files.load(state["regression_test"], RegressionTest)
        known = state.get("pull_request")
        branch = branch_of(state["ticket_id"], (await self.outward.claim_of(config)).workflow_id)
        wanted = {**fix.applied_to(history.tree.files), test.path: test.text}
        paths = {*(edit.path for edit in fix.edits), test.path}
        touched = paths | set(known["paths"] if known else ())
        edits = edits_between(await self._parent_files(state, history), wanted, touched)
        parent = str(known["head"]) if known else state["base"]
        message = messages.commit_message(state["ticket_id"], fix)
        same = bool(known) and not edits  # after a rewind: what the branch holds is this very fix
        head = parent if same else await self.outward.commit(state, config, "fix", branch, parent, edits, message)
        opened = await self._publish(state, config, branch, fix, history, test)
        await self._announce(state, config, fix, opened)
        return {
            "pull_request": {
                **opened,
                "head": head,
                "branch": branch,
                "base_branch": history.branch,
                "paths": sorted(touched),
            },
            "context": {"pr_number": opened["number"], "pr_url": opened["url"], "pr_head": head},
        }

    async def remediation_complete(self, state: Case, config: RunnableConfig) -> Json:
        """Free the repository while people review."""
        await self.exclusion.free(config)
        return {"exit": "remediation_complete", "decision": {}}

    async def _publish(
        self, state: Case, config: RunnableConfig, branch: str, fix: Fix, history: SourceHistory, test: RegressionTest
    ) -> Json:
        body = messages.pull_request_body(
            state["ticket_id"],
            await self.files.load(state["diagnosis"], Diagnosis),
            fix,
            await self._validation(state),
            await self.files.load(state["test_report"], TestReport),
            test.path,
        )
        title = messages.pull_request_title(state["ticket_id"], fix)
        known = state.get("pull_request")
        if not known:
            return await self.outward.open_pull_request(state, config, "fix", branch, history.branch, title, body)
        await self.outward.update_pull_request(state, config, known["number"], title, body)
        return {"number": known["number"], "url": known["url"]}

    async def _announce(self, state: Case, config: RunnableConfig, fix: Fix, opened: Json) -> None:
        if state.get("decision"):
            decision = Decision.model_validate(state["decision"])
            text = messages.change_answered(fix, decision.reviewer)
            await self.outward.comment_pull_request(state, config, opened["number"], "answer", text)
            return
        diagnosis = await self.files.load(state["diagnosis"], Diagnosis)
        await self.outward.link_ticket(state, config, opened["url"], f"Pull request #{opened['number']}: {fix.title}")
        text = messages.pull_request_opened(opened["number"], opened["url"], fix, diagnosis)
        await self.outward.tell_ticket(state, config, "pull_request", text)

    async def _proven(
        self, candidates: tuple[RegressionTest, ...], fix: Fix, history: SourceHistory
    ) -> tuple[RegressionTest, TestReport]:
        """The most telling test that fails on the broken tree and passes on the repaired one, else the last resort."""
        for test in candidates[:-1]:
            report = await self._run(test, fix, history)
            if report.valid:
                return test, report
        return candidates[-1], await self._run(candidates[-1], fix, history)

    async def _run(self, test: RegressionTest, fix: Fix, history: SourceHistory) -> TestReport:
        if self.sandbox is None:
            return TestReport(ran=False)
        broken = {**history.tree.files, test.path: test.text}
        fixed = {**fix.applied_to(history.tree.files), test.path: test.text}
        before = await self.sandbox.run(broken, test.command)
        after = await self.sandbox.run(fixed, test.command)
        return TestReport(
            ran=True,
            fails_on_broken=before.exit_code != 0 and not before.timed_out,
            passes_on_fix=after.exit_code == 0 and not after.timed_out,
            output=f"on the broken tree:\n{before.output[-2_000:]}\non the repaired tree:\n{after.output[-2_000:]}",
        )

    async def _parent_files(self, state: Case, history: SourceHistory) -> dict[str, str]:
        """The files of the commit that ours will stand on: the base, or what our pull request already holds."""
        known = state.get("pull_request")
        if not known:
            return history.tree.files
        repository = state["scope"]["repository"]
        await self.source.history(Scope.model_validate({**state["scope"], "branch": known["branch"]}))
        return (await self.source.workspace.at(repository, known["head"])).files

    async def _validation(self, state: Case) -> Validation:
        fix, history = await self._fix_and_history(state)
        hypothesis = await self._hypothesis(state)
        return await asyncio.to_thread(validate, fix, hypothesis, history, forbidden=self.forbidden_paths)

    async def _fix_and_history(self, state: Case) -> tuple[Fix, SourceHistory]:
        return await self.files.load(state["fix"], Fix), await self.files.load(state["history"], SourceHistory)

    async def _hypothesis(self, state: Case) -> Hypothesis:
        return (await self.files.load(state["diagnosis"], Diagnosis)).hypotheses[0]


def after_code_validation(state: Case) -> Literal["test_generation", "fix_generation"]:
    """An invalid fix is made anew."""
    return "fix_generation" if state["problems"] else "test_generation"


def after_test_generation(state: Case) -> Literal["pr_creation", "fix_generation"]:
    """A test that proves nothing speaks against the fix."""
    return "fix_generation" if state["problems"] else "pr_creation"


def branch_of(ticket_id: str, workflow_id: str) -> str:
    """The one branch of a workflow; a second workflow for the same ticket gets another."""
    return f"sre-bot/{ticket_id}-{workflow_id[:8]}"


def edits_between(files: dict[str, str], wanted: dict[str, str], paths: set[str]) -> tuple[FileEdit, ...]:
    """The edits that make the named paths of one tree those of another; nobody else's paths are touched."""
    return tuple(
        FileEdit(path=path, before=files.get(path), after=wanted.get(path))
        for path in sorted(paths)
        if files.get(path) != wanted.get(path)
    )
