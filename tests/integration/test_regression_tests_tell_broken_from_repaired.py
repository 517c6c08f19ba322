"""Regression tests are run where the product runs them: red on the broken tree, green on the repaired one."""

import asyncio

import pytest

from sre_bot.repair import propose_fix, regression_test, regression_tests
from sre_bot.tools.sandbox import Sandbox
from tests.repair_scenarios import Scenario, code_regression, scenarios


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    found = asyncio.run(Sandbox.detect())
    assert found is not None, "install bubblewrap"
    return found


@pytest.mark.parametrize("scenario", scenarios(), ids=str)
async def test_it_fails_before_and_passes_after(sandbox: Sandbox, scenario: Scenario):
    fix = propose_fix(scenario.hypothesis, scenario.history)
    test = regression_test(fix, scenario.hypothesis, scenario.history, "OPS-7")
    broken = await sandbox.run({**scenario.history.tree.files, test.path: test.text}, test.command)
    repaired = await sandbox.run({**scenario.healed, test.path: test.text}, test.command)
    assert broken.exit_code == 1
    assert "AssertionError" in broken.output
    assert (repaired.exit_code, repaired.output) == (0, "passed\n")


async def test_a_code_regression_is_shown_by_a_call_that_fails_as_production_did(sandbox: Sandbox):
    scenario = code_regression()
    fix = propose_fix(scenario.hypothesis, scenario.history)
    best, *others = regression_tests(fix, scenario.hypothesis, scenario.history, "OPS-7")
    broken = await sandbox.run({**scenario.history.tree.files, best.path: best.text}, best.command)
    repaired = await sandbox.run({**scenario.healed, best.path: best.text}, best.command)
    assert others
    assert "band_for(7,) raises IndexError" in broken.output
    assert (broken.exit_code, repaired.exit_code) == (1, 0)


async def test_the_repositorys_own_tests_are_run_too(sandbox: Sandbox):
    scenario = code_regression()
    fix = propose_fix(scenario.hypothesis, scenario.history)
    test = regression_test(fix, scenario.hypothesis, scenario.history, "OPS-7")
    stricter = scenario.healed["tests/test_bands.py"].replace("band_for(1.9) == 0", "band_for(1.9) == 1")
    result = await sandbox.run({**scenario.healed, "tests/test_bands.py": stricter, test.path: test.text}, test.command)
    assert result.exit_code == 1
    assert "test_a_bike_is_short" in result.output
