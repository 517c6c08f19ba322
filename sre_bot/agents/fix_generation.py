"""The fix: a strategy where one covers the cause, else the model's edits, both under the same validators."""

import asyncio
from dataclasses import dataclass

from langchain_core.language_models import BaseChatModel
from pydantic import BaseModel, Field

from sre_bot.agents.conversation import ask
from sre_bot.agents.prompts import prompt
from sre_bot.domain.diagnosis import Hypothesis
from sre_bot.domain.errors import ModelError, NoSafeFix
from sre_bot.domain.fix import FileEdit, Fix
from sre_bot.domain.review import Decision
from sre_bot.domain.source import SourceHistory
from sre_bot.repair import propose_fix

FILES_LIMIT = 60_000
"""Characters of repository text in one question."""


class Replacement(BaseModel):
    """One edit as the model writes it."""

    path: str
    find: str = Field(min_length=1, description="text that occurs exactly once in the file")
    replace: str


class Proposal(BaseModel):
    """The model's fix; no edits where it sees none."""

    title: str
    explanation: str
    risk: str
    edits: list[Replacement]


@dataclass(frozen=True, slots=True)
class FixAgent:
    """Makes fixes. Without a model only the strategies speak."""

    model: BaseChatModel | None
    calls: int

    async def generate(
        self,
        hypothesis: Hypothesis,
        history: SourceHistory,
        *,
        request: Decision | None,
        previous: Fix | None,
        problems: tuple[str, ...],
    ) -> Fix:
        """A fix for the cause. Raises ``NoSafeFix`` when neither a strategy nor the model has one."""
        try:
            return await asyncio.to_thread(
                propose_fix, hypothesis, history, request=request, previous=previous, problems=problems
            )
        except NoSafeFix as no_strategy:
            if self.model is None:
                raise
            return await self._asked(self.model, hypothesis, history, request, problems, no_strategy)

    async def _asked(
        self,
        model: BaseChatModel,
        hypothesis: Hypothesis,
        history: SourceHistory,
        request: Decision | None,
        problems: tuple[str, ...],
        no_strategy: NoSafeFix,
    ) -> Fix:
        question = await asyncio.to_thread(
            prompt,
            "fix_generation",
            cause=hypothesis.finding.model_dump_json(),
            request=request.request if request else "(none)",
            problems="\n".join(problems) or "(none)",
            files=_files(history),
        )
        try:
            proposal = await ask(model, question, Proposal, self.calls)
        except ModelError as error:
            raise NoSafeFix(f"{no_strategy}; and the model gave no usable answer: {error}") from error
        return fix_of(proposal, history)


def fix_of(proposal: Proposal, history: SourceHistory) -> Fix:
    """The model's edits as a fix. Raises ``NoSafeFix`` when one does not apply exactly."""
    if not proposal.edits:
        raise NoSafeFix(f"neither a strategy nor the model has a fix: {proposal.explanation}")
    files = dict(history.tree.files)
    for edit in proposal.edits:
        if files.get(edit.path, "").count(edit.find) != 1:
            raise NoSafeFix(f"the model's edit of {edit.path!r} does not apply: its text is not there exactly once")
        files[edit.path] = files[edit.path].replace(edit.find, edit.replace)
    edits = tuple(
        FileEdit(path=path, before=history.tree.files[path], after=files[path])
        for path in sorted({edit.path for edit in proposal.edits})
    )
    return Fix(
        title=proposal.title, strategy="model", edits=edits, explanation=proposal.explanation, risk=proposal.risk
    )


def _files(history: SourceHistory) -> str:
    texts: list[str] = []
    left = FILES_LIMIT
    for path, text in sorted(history.tree.files.items(), key=lambda item: not item[0].startswith(history.path)):
        left -= len(text)
        if left < 0:
            break
        texts.append(f"--- {path}\n{text}")
    return "\n".join(texts)
