"""The repository's own tests, run by a regression test; never by the bot itself."""

import importlib.util
import inspect
import sys
import unittest
from pathlib import Path


def failing_tests(root: str, files: list[str]) -> list[str]:
    """The failures of test files: unittest cases, and plain functions without parameters, as pytest collects them.

    A file whose imports are not there is passed over.
    """
    sys.path[:0] = [root, f"{root}/src"]
    failures: list[str] = []
    for file in files:
        spec = importlib.util.spec_from_file_location(Path(file).stem, f"{root}/{file}")
        if spec is None or spec.loader is None:
            continue
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except ImportError:
            continue
        suite = unittest.defaultTestLoader.loadTestsFromModule(module)
        for name, thing in vars(module).items():
            if name.startswith("test") and inspect.isfunction(thing) and not inspect.signature(thing).parameters:
                suite.addTest(unittest.FunctionTestCase(thing))
        result = unittest.TestResult()
        suite.run(result)
        failures += [f"{test}: {text.splitlines()[-1]}" for test, text in [*result.failures, *result.errors]]
    return failures
