"""Program behaviour: a function called with plain arguments does not fail the way it failed in production."""

import importlib.util
import itertools
import sys
from pathlib import Path
from typing import Any


def failing_calls(root: str, path: str, function: str, error: str, arguments: list[list[Any]]) -> list[str]:
    """The calls that raise ``error``; any other exception may be the right answer to an odd argument.

    ``arguments`` holds the values to try for each parameter; every combination is tried.
    """
    sys.path[:0] = [root, f"{root}/src", str(Path(f"{root}/{path}").parent)]
    name = ".".join(Path(path).with_suffix("").parts).removeprefix("src.")
    spec = importlib.util.spec_from_file_location(name, f"{root}/{path}")
    if spec is None or spec.loader is None:
        return [f"{path} cannot be imported"]
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    problems: list[str] = []
    for values in itertools.product(*arguments):
        try:
            getattr(module, function)(*values)
        except Exception as raised:  # noqa: BLE001 - which exceptions are right answers is not for this test to say
            if type(raised).__name__ == error:
                problems.append(f"{function}{values!r} raises {raised!r}")
    return problems
