"""The last look before a merge: whether what was approved still is what would be merged, and still is right.

Those who merge into one repository or deploy one application stand in line; the one at its head looks at the base
branch as it is now. A fix is re-based when its edits stand, byte for byte, on the newest base; then it is validated
there anew. What somebody changed under the approval is never merged: nobody has reviewed the sum of both.
"""

import asyncio
from dataclasses import dataclass

from sre_bot.domain.diagnosis import Diagnosis
from sre_bot.domain.fix import Fix, RegressionTest, TestReport
from sre_bot.domain.source import SourceHistory
from sre_bot.domain.ticket import Scope
from sre_bot.graph.analysis import SourceReader
from sre_bot.graph.case_files import CaseFiles
from sre_bot.graph.state import Case
from sre_bot.repair import validate
from sre_bot.tools.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class MergeQueue:
    """Re-bases and re-validates an approved fix."""

    source: SourceReader
    sandbox: Sandbox | None
    files: CaseFiles
    forbidden_paths: tuple[str, ...]

    async def objection(self, state: Case) -> str:
        """Why the approved fix may not be merged onto the base as it is now; empty when it may."""
        repository, branch = state["scope"]["repository"], state["pull_request"]["base_branch"]
        if await self.source.github.head(repository, branch) == state["base"]:
            return ""
        now = await self.source.history(Scope.model_validate({**state["scope"], "branch": branch}))
        made_for = await self.files.load(state["history"], SourceHistory)
        fix = await self.files.load(state["fix"], Fix)
        test = await self.files.load(state["regression_test"], RegressionTest)
        if moved := moved_under(fix, test, made_for.tree.files, now.tree.files):
            return f"{', '.join(moved)} changed on {branch} after the fix was made, so nobody has reviewed the result"
        return await self._invalid(state, fix, now) or await self._disproved(state, fix, test, now)

    async def _invalid(self, state: Case, fix: Fix, now: SourceHistory) -> str:
        cause = (await self.files.load(state["diagnosis"], Diagnosis)).hypotheses[0]
        validation = await asyncio.to_thread(validate, fix, cause, now, forbidden=self.forbidden_paths)
        if not validation.problems:
            return ""
        return f"on {now.branch} as it is now the fix is not valid any more: {'; '.join(validation.problems)}"

    async def _disproved(self, state: Case, fix: Fix, test: RegressionTest, now: SourceHistory) -> str:
        """Whether the regression test that proved the fix still passes on the merged tree."""
        proven = (await self.files.load(state["test_report"], TestReport)).valid
        if self.sandbox is None or not proven:
            return ""
        merged = {**fix.applied_to(now.tree.files), test.path: test.text}
        run = await self.sandbox.run(merged, test.command)
        if run.exit_code == 0 and not run.timed_out:
            return ""
        return f"on {now.branch} as it is now the regression test fails: {run.output[-500:]}"


def moved_under(fix: Fix, test: RegressionTest, then: dict[str, str], now: dict[str, str]) -> list[str]:
    """The files that the fix or its test writes and that are not what they were when it was made."""
    paths = {*(edit.path for edit in fix.edits), test.path}
    return sorted(path for path in paths if then.get(path) != now.get(path))
