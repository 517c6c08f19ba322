"""Each environment of the Makefile is installed from the extras of ``pyproject.toml`` that its commands import."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("target", "requirement"), [("setup", '-e "."'), ("setup-dev", '-e ".[dev]"'), ("bench", '-e ".[dev,bench]"')]
)
def test_the_extras_reach_pip_whole(target: str, requirement: str) -> None:
    asked = ("make", "--dry-run", "--always-make", "--no-print-directory", target)
    planned = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True)
    assert requirement in planned.stdout
