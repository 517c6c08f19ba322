"""Prompts are files: one Markdown template per agent, with ``$name`` where a value goes."""

import re
from importlib.resources import files
from pathlib import Path
from string import Template


def prompt(name: str, **values: str) -> str:
    """A rendered template. Raises ``KeyError`` for a value that the template wants and nobody gives.

    Values are bounded by who passes them; secrets are taken out when the question is asked.
    """
    return template(name).substitute(values)


def template(name: str) -> Template:
    """The template of an agent."""
    return Template(_folder(name).read_text())


def variables(name: str) -> frozenset[str]:
    """The names that a template wants."""
    return frozenset(re.findall(r"\$([a-z_]+)", _folder(name).read_text()))


def _folder(name: str) -> Path:
    packaged = Path(str(files("sre_bot"))) / "prompts" / f"{name}.md"
    return packaged if packaged.is_file() else Path(__file__).parents[2] / "prompts" / f"{name}.md"
