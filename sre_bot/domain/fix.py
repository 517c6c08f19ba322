"""A repair: the edits, why they are safe, and the regression test that guards them."""

import difflib
from typing import Literal

from sre_bot.domain.cluster import Value


class FileEdit(Value):
    """One file's text before and after; None where the file does not exist."""

    path: str
    before: str | None
    after: str | None


class RegressionTest(Value):
    """A test file that fails on the broken tree and passes on the repaired one.

    ``command`` runs in the tree's root; the file stands at ``path`` there.
    """

    path: str
    text: str
    command: tuple[str, ...]


class Fix(Value):
    """The smallest change that removes the cause. Texts are for the pull request."""

    title: str
    strategy: str
    edits: tuple[FileEdit, ...]
    explanation: str
    risk: str
    reverts: str = ""

    @property
    def diff(self) -> str:
        """The unified diff of all edits."""
        return "".join(_diff(edit) for edit in self.edits)

    def applied_to(self, files: dict[str, str]) -> dict[str, str]:
        """The tree after the edits. Raises ``ValueError`` when a file is not as the edit expects it."""
        after = dict(files)
        for edit in self.edits:
            if files.get(edit.path) != edit.before:
                raise ValueError(f"{edit.path} is not the file that the fix was made for")
            if edit.after is None:
                del after[edit.path]
            else:
                after[edit.path] = edit.after
        return after


class TestReport(Value):
    """What came of running the regression test on both trees; ``ran`` is False where no sandbox was available."""

    __test__ = False

    ran: bool
    fails_on_broken: bool = False
    passes_on_fix: bool = False
    output: str = ""

    @property
    def valid(self) -> bool:
        """Whether it proves the fix: red before, green after."""
        return self.ran and self.fails_on_broken and self.passes_on_fix


class Validation(Value):
    """The result of checking a fix before anybody sees it."""

    problems: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()

    @property
    def verdict(self) -> Literal["valid", "invalid"]:
        """``invalid`` as soon as there is one problem."""
        return "invalid" if self.problems else "valid"


def _diff(edit: FileEdit) -> str:
    lines = difflib.unified_diff(
        (edit.before or "").splitlines(keepends=True),
        (edit.after or "").splitlines(keepends=True),
        fromfile="/dev/null" if edit.before is None else f"a/{edit.path}",
        tofile="/dev/null" if edit.after is None else f"b/{edit.path}",
    )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
