"""The README's walk by hand: a lab in the folder where one stands, and the commands that find it there."""

import asyncio
from pathlib import Path

from sre_bot.cli.demo import FIRST_INCIDENT
from tests.acceptance_stage import INCIDENTS, environment, running


async def said(env: dict[str, str], folder: Path, *arguments: str) -> tuple[int | None, str]:
    async with running(env, *arguments, cwd=folder) as process:
        out, err = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode, (out + err).decode()


async def test_a_lab_that_is_up_in_this_folder_is_found_by_the_commands_in_this_folder(
    database_url: str, tmp_path: Path
) -> None:
    root = str(Path(__file__).parents[2])
    env = {**environment({}, database_url, tmp_path / "bot"), "PYTHONPATH": root}
    async with running(env, "lab", "up", str(INCIDENTS / FIRST_INCIDENT), cwd=tmp_path) as lab:
        assert lab.stdout is not None
        exported: dict[str, str] = {}
        while "ARGOCD_APPLICATIONS" not in exported:
            name, _, value = (await asyncio.wait_for(lab.stdout.readline(), 60)).decode().partition("=")
            exported[name.removeprefix("export ")] = value.strip()
        checked, report = await said({**env, **exported}, tmp_path, "doctor")
        worked, _ = await said({**env, **exported}, tmp_path, "run", "SHOP-2291", "--no-wait")
        reviewed, _ = await said(env, tmp_path, "lab", "review", "1", "--approve")
        counted, routes = await said(env, tmp_path, "lab", "requests", "--json")
    assert (checked, worked, reviewed, counted) == (0, 0, 0, 0), report
    assert '"github POST' in routes
