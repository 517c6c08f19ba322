"""Taking back a merged fix. An approval covers exactly the inverse of what was approved, and nothing else."""

from dataclasses import dataclass
from typing import Literal

from langchain_core.runnables import RunnableConfig

from sre_bot.domain.errors import GitHubAPIError, Reason, RollbackNotVerified
from sre_bot.domain.fix import FileEdit, Fix, RegressionTest
from sre_bot.domain.source import SourceHistory
from sre_bot.graph import messages
from sre_bot.graph.case_files import CaseFiles
from sre_bot.graph.outward import Outward
from sre_bot.graph.soundness import Soundness
from sre_bot.graph.state import Case


@dataclass(frozen=True, slots=True)
class Rollback:
    """The inverse commit and its deployment."""

    soundness: Soundness
    files: CaseFiles
    outward: Outward
    mode: Literal["auto", "ask"]

    async def perform(self, state: Case, config: RunnableConfig) -> str:
        """Revert, deploy the revert, and say so. Raises ``RollbackNotVerified`` when a person is needed."""
        if self.mode == "ask":
            raise await self._asked(state, config, "ROLLBACK is set to ask")
        if state["decision"]["state"] == "merged":
            raise await self._asked(
                state, config, "a person merged the change without a review that covers its inverse"
            )
        try:
            sha = await self._revert(state, config, state["pull_request"]["base_branch"], "rollback")
        except GitHubAPIError as error:
            if error.reason not in (Reason.CONFLICT, Reason.NOT_AUTHORISED):
                raise
            raise await self._asked(state, config, f"the revert could not be committed directly ({error})") from error
        await self.outward.sync(state, config, "rollback", sha)
        failure = await self.soundness.synced(state["scope"]["application"], sha)
        if failure:
            raise RollbackNotVerified(f"the revert {sha[:12]} was committed, but {failure}")
        return f"I reverted the change ({sha[:12]}) and deployed the revert."

    async def _revert(self, state: Case, config: RunnableConfig, branch: str, name: str) -> str:
        fix = await self.files.load(state["fix"], Fix)
        message = messages.revert_message(state["ticket_id"], fix.title, state["failure"])
        edits = await self._inverse(state, fix)
        return await self.outward.commit(state, config, name, branch, state["merge_sha"], edits, message)

    async def _inverse(self, state: Case, fix: Fix) -> tuple[FileEdit, ...]:
        test = await self.files.load(state["regression_test"], RegressionTest)
        history = await self.files.load(state["history"], SourceHistory)
        back = [FileEdit(path=edit.path, before=edit.after, after=edit.before) for edit in fix.edits]
        return (*back, FileEdit(path=test.path, before=test.text, after=history.tree.files.get(test.path)))

    async def _asked(self, state: Case, config: RunnableConfig, why: str) -> RollbackNotVerified:
        """Open the revert as a pull request; the error that hands it to a person."""
        branch = f"{state['pull_request']['branch']}-revert"
        try:
            await self._revert(state, config, branch, "revert_proposal")
        except GitHubAPIError as error:
            if error.reason is not Reason.CONFLICT:
                raise
            return RollbackNotVerified(f"{why}; and it cannot be reverted by itself: {error}")
        fix = await self.files.load(state["fix"], Fix)
        base = state["pull_request"]["base_branch"]
        title = messages.revert_title(fix)
        body = messages.revert_body(state["failure"], state["pull_request"]["number"])
        opened = await self.outward.open_pull_request(state, config, "revert", branch, base, title, body)
        return RollbackNotVerified(f"{why}; the revert waits in pull request #{opened['number']} ({opened['url']})")
