"""Carrying a condition into a stand-alone file: its source and that of everything it uses."""

import ast
import inspect
import sys
from functools import cache
from types import ModuleType

from sre_bot.repair.conditions import (
    addresses,
    behaviour,
    objects,
    programs,
    scheduling,
    services,
    suites,
    values,
    workloads,
)
from sre_bot.repair.guards import Check

_SUBMODULES = ("importlib.util",)
_MODULES = (objects, addresses, behaviour, programs, scheduling, services, suites, values, workloads)


def carried_source(*checks: Check) -> tuple[tuple[str, ...], str]:
    """The standard-library modules to import, sorted, and the functions' source, helpers first."""
    wanted = {name for check in checks for name in _with_helpers(check.__name__)}
    known = _functions()
    source = "\n\n\n".join(known[name][1] for name in known if name in wanted)
    return tuple(sorted(_imports(source))), source


def _with_helpers(name: str) -> set[str]:
    found, pending = set[str](), [name]
    while pending:
        one = pending.pop()
        if one in found:
            continue
        found.add(one)
        used = {node.id for node in ast.walk(_functions()[one][0]) if isinstance(node, ast.Name)}
        pending += [other for other in used if other in _functions()]
    return found


@cache
def _functions() -> dict[str, tuple[ast.AST, str]]:
    """All functions of the condition modules in reading order: their tree and their text."""
    return {name: pair for module in _MODULES for name, pair in _functions_in(module)}


def _functions_in(module: ModuleType) -> list[tuple[str, tuple[ast.AST, str]]]:
    source = inspect.getsource(module)
    return [
        (node.name, (node, ast.get_source_segment(source, node) or ""))
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef)
    ]


def _imports(source: str) -> set[str]:
    used = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)]
    names = {ast.unparse(value) for value in used if isinstance(value, ast.Name | ast.Attribute)}
    known = {name for name in names if name in sys.stdlib_module_names or name in _SUBMODULES}
    return {name for name in known if not any(other.startswith(f"{name}.") for other in known)}
