"""``graph`` and ``settings``: what is generated, and whether the README still says it."""

from pathlib import Path
from typing import Annotated

import typer

from sre_bot.cli.output import AsJson, emit, err, out
from sre_bot.graph.diagram import disagreements, mermaid
from sre_bot.settings import Settings, table

Check = Annotated[bool, typer.Option("--check", help="Compare instead of printing; exits 1 on a difference.")]
Write = Annotated[bool, typer.Option("--write", help="Bring the README up to date.")]
README = Path("README.md")


def graph(check: Check = False, write: Write = False, as_json: AsJson = False) -> int:
    """Print the state diagram as Mermaid, drawn from the law.

    --check compares the law with the compiled graph and with the README's diagram.
    """
    block = f"```mermaid\n{mermaid()}\n```"
    if write:
        _write("diagram", block)
        return 0
    if not check:
        emit({"mermaid": mermaid()}) if as_json else out.print(mermaid(), markup=False)
        return 0
    return _report([*disagreements(), *_stale("diagram", block, "sre-bot graph --write")], as_json)


def settings(check: Check = False, write: Write = False, as_json: AsJson = False) -> int:
    """Print every setting: name, default, meaning. --check compares the README's table."""
    if write:
        _write("settings", table())
        return 0
    if check:
        return _report(_stale("settings", table(), "sre-bot settings --write"), as_json)
    if as_json:
        emit({name.upper(): field.description for name, field in Settings.model_fields.items()})
    else:
        out.print(table(), markup=False)
    return 0


def _report(problems: list[str], as_json: bool) -> int:
    if as_json:
        emit({"problems": problems})
    for problem in problems:
        err.print(problem, markup=False)
    return 1 if problems else 0


def _stale(name: str, block: str, remedy: str) -> list[str]:
    if not README.is_file():
        return []
    return (
        [] if _parts(name)[1].strip() == block.strip() else [f"README.md: the {name} is not up to date; run `{remedy}`"]
    )


def _write(name: str, block: str) -> None:
    before, _, after = _parts(name)
    README.write_text(f"{before}\n{block}\n{after}")


def _parts(name: str) -> tuple[str, str, str]:
    begin, end = f"<!-- {name}: generated -->", f"<!-- /{name} -->"
    text = README.read_text()
    if begin not in text or end not in text:
        raise typer.BadParameter(f"README.md has no place for it: {begin} … {end}")
    before, rest = text.split(begin, 1)
    inner, after = rest.split(end, 1)
    return before + begin, inner, end + after
