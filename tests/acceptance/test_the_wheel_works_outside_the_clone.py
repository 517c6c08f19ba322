"""What is built from this tree and installed elsewhere is the whole program: nothing of the clone is needed."""

import asyncio
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.acceptance_stage import INCIDENTS, Finished, newcomer

ROOT = Path(__file__).parents[2]
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program's own executable, in an environment that has the wheel and the libraries, and no clone."""
    folder = tmp_path_factory.mktemp("elsewhere")
    built, there = folder / "dist", folder / "venv"
    subprocess.run([*PIP, "wheel", "--no-deps", "--no-build-isolation", "-w", str(built), str(ROOT)], check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(there)], check=True)
    (wheel,) = built.glob("sre_bot-*.whl")
    subprocess.run([*PIP, "--python", str(there / "bin" / "python"), "install", "--no-deps", str(wheel)], check=True)
    # Plainly a folder on the path: a link to the clone that lies in there is not followed.
    libraries = Path(sysconfig.get_path("purelib", vars={"base": str(there), "platbase": str(there)}))
    (libraries / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return there / "bin" / "sre-bot"


async def elsewhere(program: Path, home: Path, *arguments: str) -> Finished:
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        cwd=home,
        env=newcomer(home),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 120)
    return Finished(process.returncode or 0, out.decode(), err.decode())


async def test_a_recording_is_diagnosed(installed: Path, tmp_path: Path) -> None:
    finished = await elsewhere(installed, tmp_path, "diagnose", "--from", str(INCIDENTS / "no-seat-plans"), "--json")
    assert finished.code == 2, finished.err
    assert finished.json["verdict"] == "fix"
    assert finished.json["causes"][0]["proposal"]["diff"]


async def test_recordings_are_scored(installed: Path, tmp_path: Path) -> None:
    page, scores = tmp_path / "page.html", tmp_path / "scores.json"
    finished = await elsewhere(
        installed,
        tmp_path,
        *("eval", str(INCIDENTS / "no-seat-plans"), "--rename", "1", "--json", str(scores), "--html", str(page)),
    )
    assert finished.code == 0, finished.err
    assert '"both_at_1": 1.0' in scores.read_text()
    assert "<svg" in page.read_text()


async def test_it_is_not_the_clone_that_runs(installed: Path) -> None:
    asked = "import sre_bot; print(sre_bot.__file__)"
    process = await asyncio.create_subprocess_exec(
        installed.parent / "python", "-c", asked, cwd="/", stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert Path(out.decode().strip()).is_relative_to(installed.parent.parent)
