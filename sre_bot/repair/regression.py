"""Regression tests: stand-alone files that fail on the broken tree and pass on the repaired one.

A test carries the source of the condition that the fault violated and the facts of the case, so that it runs with
nothing but Python and PyYAML, under pytest or by itself. It asserts the condition, not the text of the fix: a later
change may choose another value, as long as the condition holds.

For program code the strongest test is a call that failed and no longer does. Whether one is found is only known when it
has been run on both trees; so there may be several candidates, the best first, and the last one tells them apart.
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from sre_bot.domain.diagnosis import Hypothesis
from sre_bot.domain.finding import FaultKind
from sre_bot.domain.fix import Fix, RegressionTest
from sre_bot.domain.source import SourceHistory
from sre_bot.repair.case import Case
from sre_bot.repair.conditions.behaviour import failing_calls
from sre_bot.repair.conditions.suites import failing_tests
from sre_bot.repair.guards import Guard
from sre_bot.repair.probing import Probe, probes_of
from sre_bot.repair.proof import guard_of
from sre_bot.repair.testfile import DEPTH, READ_OBJECTS, READ_TEXTS, TestFile, slug

FOLDER = "tests/regression"
_IMPORT = r"^\s*(?:from|import)\s+[\w.]*\b{name}\b|^\s*from\s+[\w.]+\s+import\s+.*\b{name}\b"
_MOST_PROBES = 2


def regression_test(fix: Fix, hypothesis: Hypothesis, history: SourceHistory, ticket: str) -> RegressionTest:
    """The test that surely tells the trees apart. Raises ``NoSafeFix`` when the broken tree violates no condition."""
    return regression_tests(fix, hypothesis, history, ticket)[-1]


def regression_tests(
    fix: Fix, hypothesis: Hypothesis, history: SourceHistory, ticket: str
) -> tuple[RegressionTest, ...]:
    """All candidates, the most telling first; keep the first that fails on the broken tree and passes on the other.

    Raises ``NoSafeFix`` when the broken tree violates no condition.
    """
    case = Case(hypothesis, history)
    return tuple(_candidates(case, fix, ticket))


def _candidates(case: Case, fix: Fix, ticket: str) -> Iterator[RegressionTest]:
    assert len(PurePosixPath(FOLDER).parts) == DEPTH
    suites = own_tests(fix, case.history)
    if case.finding.kind is FaultKind.CODE_REGRESSION:
        for probe in probes_of(fix, case.finding)[:_MOST_PROBES]:
            yield _test(ticket, probe.sentence, _probing(case, fix, probe, ticket), suites)
    guard = guard_of(case, fix)
    yield _test(ticket, guard.sentence, _guarding(case, fix, guard, ticket), suites)


def _test(ticket: str, sentence: str, file: TestFile, suites: tuple[str, ...]) -> RegressionTest:
    path = f"{FOLDER}/test_{slug(ticket)}_{slug(sentence, 50)}.py"
    return RegressionTest(path=path, text=_with_suites(file, suites).text, command=("python3", path))


def _guarding(case: Case, fix: Fix, guard: Guard, ticket: str) -> TestFile:
    manifests = guard.reads == "manifests"
    subject = "read_objects" if manifests else "read_texts"
    how = _COMPUTED if guard.telling else _NOT_TELLING[guard.reads]
    where = {"FOLDER": case.history.path, "FILES": list(guard.files)} if manifests else {"FILES": list(guard.files)}
    return TestFile(
        paragraphs=_paragraphs(case, fix, ticket, guard.sentence, how),
        constants={**where, "FACTS": guard.facts},
        checks=(guard.check,),
        tests=((guard.sentence, f"{guard.check.__name__}({subject}(), **FACTS)"),),
        reader=READ_OBJECTS if manifests else READ_TEXTS,
    )


def _probing(case: Case, fix: Fix, probe: Probe, ticket: str) -> TestFile:
    facts = {"path": probe.path, "function": probe.function, "error": probe.error, "arguments": probe.arguments}
    return TestFile(
        paragraphs=_paragraphs(case, fix, ticket, probe.sentence, _PROBED),
        constants={"FACTS": facts},
        checks=(failing_calls,),
        tests=((probe.sentence, "failing_calls(str(ROOT), **FACTS)"),),
    )


def _with_suites(file: TestFile, suites: tuple[str, ...]) -> TestFile:
    if not suites:
        return file
    return TestFile(
        paragraphs=file.paragraphs,
        constants={**file.constants, "OWN_TESTS": list(suites)},
        checks=(*file.checks, failing_tests),
        tests=(*file.tests, ("the repository's own tests pass", "failing_tests(str(ROOT), OWN_TESTS)")),
        reader=file.reader,
    )


def own_tests(fix: Fix, history: SourceHistory) -> tuple[str, ...]:
    """The repository's test files, as the fix leaves them, that import a Python module which the fix changes."""
    changed = [PurePosixPath(edit.path) for edit in fix.edits if edit.path.endswith(".py") and edit.after is not None]
    names = {path.parent.name if path.stem == "__init__" else path.stem for path in changed if not _is_test(path)}
    patterns = [re.compile(_IMPORT.format(name=re.escape(name)), re.MULTILINE) for name in names]
    tree = fix.applied_to(history.tree.files)
    suites = [path for path in sorted(tree) if path.endswith(".py") and _is_test(PurePosixPath(path))]
    return tuple(path for path in suites if any(pattern.search(tree[path]) for pattern in patterns))


def _is_test(path: PurePosixPath) -> bool:
    return path.name.startswith("test_") or path.stem.endswith("_test")


def _paragraphs(case: Case, fix: Fix, ticket: str, sentence: str, how: str) -> tuple[str, ...]:
    why = " ".join(case.finding.message.split())[:400]
    run = f"Run it with pytest, or alone with python3. It failed before {fix.title!r}."
    return (f"{ticket}: {sentence}.", why, how, run)


_COMPUTED = "The check computes this from the manifests as they are; it does not ask for one particular value."
_PROBED = (
    "What the program was asked when it failed is not recorded. So the function is called with a spread of plain "
    "arguments, and none may fail the way production did; other exceptions may be right answers to odd arguments."
)
_NOT_TELLING = {
    "manifests": "It says what must not come back, and leaves open what else may stand there.",
    "texts": (
        "What the program was asked when it failed is not recorded, so this does not replay it: it holds what marks "
        "the guilty version and fails while that is back. What the program should do is for its own tests to say; "
        "where some import the repaired module, they are run too."
    ),
}
