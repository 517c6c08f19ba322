"""A regression test calls a guilty function only where that can do no harm."""

import pytest

from sre_bot.domain.finding import FaultKind
from sre_bot.domain.fix import FileEdit, Fix
from sre_bot.repair.probing import Probe, probes_of
from tests.repair_cases import hypothesis, text

BROKEN = "def fare(length):\n    return TABLE[length]\n"


def probes(repaired: str, observed: str = "IndexError: list index out of range") -> list[Probe]:
    edit = FileEdit(path="src/fares.py", before=BROKEN, after=text(repaired))
    fix = Fix(title="t", strategy="revert", edits=(edit,), explanation="e", risk="r")
    return probes_of(fix, hypothesis(FaultKind.CODE_REGRESSION, "Deployment/shop/fares", "", observed=observed).finding)


def test_a_function_that_computes_is_called_with_values_of_its_parameters_type():
    (probe,) = probes("""
        from math import ceil

        def fare(length: int):
            return per_metre(ceil(length))

        def per_metre(length):
            return min(length, 12) * 3
    """)
    assert (probe.function, probe.error) == ("fare", "IndexError")
    assert all(isinstance(value, int) for value in probe.arguments[0])


@pytest.mark.parametrize(
    "repaired",
    [
        "import os\ndef fare(length):\n    return os.remove(length)\n",
        "import requests\ndef fare(length):\n    return requests.get(length)\n",
        "from shutil import rmtree\ndef fare(length):\n    return rmtree(length)\n",
        "import subprocess as len\ndef fare(length):\n    return len(length)\n",
        "def fare(length):\n    return open(length)\n",
        "def fare(length):\n    import os\n    return os.remove(length)\n",
        "def fare(length):\n    return clear(length)\ndef clear(length):\n    return eval(length)\n",
        "def fare(length):\n    return (lambda: 1)()\n",
        "def fare(length):\n    return database.delete(length)\n",
        "def fare(length):\n    global LAST\n    LAST = length\n",
        "def fare(length):\n    with lock:\n        return length\n",
        "@cached\ndef fare(length):\n    return length\n",
        "def fare(*lengths):\n    return lengths\n",
        "def fare(one, two, three):\n    return one\n",
        "async def fare(length):\n    return length\n",
    ],
)
def test_a_function_that_reaches_out_is_never_called(repaired: str):
    assert probes(repaired) == []


def test_without_a_known_exception_nothing_is_called():
    assert probes("def fare(length):\n    return 1\n", observed="answers are wrong") == []
