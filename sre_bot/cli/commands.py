"""The commands by name. A command's module is imported when the command is asked for, so that each starts fast."""

import ast
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from sre_bot.cli.exit_codes import MEANING

TABLE: dict[str, str] = {
    "demo": "demo:demo",
    "diagnose": "diagnosing:diagnose",
    "run": "running:run",
    "serve": "running:serve",
    "take-up": "running:take_up",
    "health": "running:health",
    "status": "looking:status",
    "show": "looking:show",
    "timeline": "looking:timeline",
    "verify": "verifying:verify",
    "replay": "proving:replay",
    "audit": "proving:audit",
    "locks": "holdings:locks",
    "effects": "holdings:effects",
    "rewind": "rewinding:rewind",
    "retry": "controlling:retry",
    "cancel": "controlling:cancel",
    "recover": "controlling:recover",
    "pause": "controlling:pause",
    "resume": "controlling:resume",
    "backup": "backups:app",
    "lab": "labs:app",
    "record": "recording:record",
    "eval": "evaluating:evaluate",
    "migrate": "running:migrate",
    "graph": "diagram:graph",
    "settings": "diagram:settings",
    "doctor": "doctor:doctor",
}
"""Each command and where it stands below ``sre_bot.cli``: the module and its function, or its group of commands."""

EXPLAINED = ("diagnose",)
"""Commands that say themselves what their exit codes mean."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command's function or group of commands is defined."""

    module: str
    name: str

    @classmethod
    def of(cls, command: str) -> "Place":
        """The place of a command of ``TABLE``."""
        module, _, name = TABLE[command].partition(":")
        return cls(f"sre_bot.cli.{module}", name)

    def load(self) -> FunctionType | typer.Typer:
        """Import the module and return what stands there."""
        return getattr(import_module(self.module), self.name)

    def summary(self) -> str:
        """What the command does, read from its source without running it."""
        for statement in self._source().body:
            if isinstance(statement, ast.FunctionDef) and statement.name == self.name:
                return ast.get_docstring(statement) or ""
            if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == self.name:
                return _help_of(statement.value)
        return ""

    def _source(self) -> ast.Module:
        spec = find_spec(self.module)
        assert spec is not None and spec.origin is not None, f"{self.module} has no source"
        return ast.parse(Path(spec.origin).read_text(encoding="utf-8"))


class LateCommand(TyperCommand):
    """A command whose module is imported when it is run or explained, not when it is listed."""

    def __init__(self, name: str, place: Place) -> None:
        super().__init__(name, help=place.summary())
        self._place = place

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Hand over to the command itself."""
        return command_at(self._place).make_context(info_name, args, parent=parent, **extra)


class CommandTable(TyperGroup):
    """The group of all commands of ``TABLE``, in its order."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all commands."""
        return list(TABLE)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a name, None where there is none."""
        return LateCommand(cmd_name, Place.of(cmd_name)) if cmd_name in TABLE else None

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command that was typed; what is close to a mistyped one is suggested."""
        self.commands.update(dict.fromkeys(TABLE, self))
        return super().resolve_command(ctx, args)


def command_at(place: Place) -> Any:
    """The real command at a place."""
    found = place.load()
    if isinstance(found, typer.Typer):
        group = get_group(found)
        for one in (group, *group.commands.values()):
            one.epilog = MEANING
        return group
    single = typer.Typer(add_completion=False)
    single.command(epilog=None if place.name in EXPLAINED else MEANING)(found)
    return get_command(single)


def _help_of(call: ast.expr) -> str:
    given = {one.arg: one.value for one in call.keywords} if isinstance(call, ast.Call) else {}
    return str(ast.literal_eval(given["help"])) if "help" in given else ""
