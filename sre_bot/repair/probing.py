"""Finding a call that shows a code regression: which function, which exception, which arguments to try.

Only functions that compute and nothing else are called: what they use must be on a list of harmless names, all the way
down. Whether a probe tells broken from repaired is found out by running it on both trees, not here.
"""

import ast
import re
from dataclasses import dataclass
from typing import Any

from sre_bot.domain.finding import Finding
from sre_bot.domain.fix import Fix
from sre_bot.repair.conditions.programs import fingerprints

_ERROR = re.compile(r"\b([A-Z]\w*(?:Error|Exception|Interrupt|Iteration))\b")
_MODULES = """bisect collections dataclasses datetime decimal enum fractions functools itertools math operator re
    statistics string typing"""
_CALLS = """abs all any bool dict divmod enumerate filter float frozenset int isinstance len list map max min pow range
    repr reversed round set sorted str sum tuple zip append extend get items keys values index count insert pop strip
    lstrip rstrip split join lower upper title replace startswith endswith isdigit format update copy quantize"""
_HARMLESS_MODULES, _HARMLESS_CALLS = frozenset(_MODULES.split()), frozenset(_CALLS.split())
_NUMBERS: list[Any] = [-1, 0, 0.5, 1, 2, 3.7, 7, 10, 19.5, 64, 99, 100, 101, 999.99, 100_000]
_WHOLE: list[Any] = [-1, 0, 1, 2, 3, 7, 10, 12, 13, 31, 64, 99, 100, 101, 999, 100_000]
_TEXTS: list[Any] = ["", "a", "A b", "0", "12", "-", "x" * 300, "é"]
_OTHERS: list[Any] = [None, [], [1, 2, 3], {}]
_POOLS = {"float": _NUMBERS, "int": _WHOLE, "str": _TEXTS, "bool": [True, False], "list": [[], [1], [1, 2, 3]]}
_MOST_PARAMETERS = 2


@dataclass(frozen=True, slots=True)
class Probe:
    """Calls of one function and the exception that they must not raise."""

    path: str
    function: str
    error: str
    arguments: list[list[Any]]

    @property
    def sentence(self) -> str:
        """What must hold."""
        return f"{self.function} does not raise {self.error}"


def probes_of(fix: Fix, finding: Finding) -> list[Probe]:
    """Probes of the functions that the fix repairs, those named by the stack trace first; often none."""
    said = " ".join((finding.observed, finding.message, *(piece.excerpt for piece in finding.evidence)))
    error = _ERROR.search(said)
    if error is None:
        return []
    found = [probe for edit in fix.edits if edit.path.endswith(".py") and edit.before and edit.after
             for probe in _probes_in(edit.path, edit.before, edit.after, error[1])]  # fmt: skip
    return sorted(found, key=lambda probe: not re.search(rf"\b{re.escape(probe.function)}\b", said))


def _probes_in(path: str, before: str, after: str, error: str) -> list[Probe]:
    try:
        old, new, tree = fingerprints(before), fingerprints(after), ast.parse(after)
    except SyntaxError:
        return []
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    harmless, foreign = _harmless_names(tree), _foreign_names(tree)
    return [
        Probe(path, name, error, [_pool(argument) for argument in node.args.args])
        for name, node in functions.items()
        if old.get(name) not in (None, new.get(name))
        and _can_be_called(node)
        and _computes(name, functions, harmless, foreign)
    ]


def _can_be_called(node: ast.FunctionDef) -> bool:
    arguments = node.args
    simple = not (arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.posonlyargs)
    return simple and not node.decorator_list and 1 <= len(arguments.args) <= _MOST_PARAMETERS


def _pool(argument: ast.arg) -> list[Any]:
    """The values to try: by annotation, else some of each sort."""
    said = ast.unparse(argument.annotation) if argument.annotation else ""
    named = _POOLS.get(re.split(r"\W", said)[0])
    return named if named is not None else [*_NUMBERS, *_TEXTS[:4], *_OTHERS]


def _harmless_names(tree: ast.Module) -> frozenset[str]:
    """Names that may be called: known ones, those from harmless modules, and the module's own plain records."""
    names: set[str] = set(_HARMLESS_CALLS)
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module in _HARMLESS_MODULES:
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.ClassDef) and not any(isinstance(part, ast.FunctionDef) for part in node.body):
            names.add(node.name)
    return frozenset(names - _foreign_names(tree))


def _foreign_names(tree: ast.Module) -> set[str]:
    """Names that a module takes from others of which nothing is known."""
    foreign: set[str] = set()
    for node in tree.body:
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        modules += [node.module or "."] if isinstance(node, ast.ImportFrom) else []
        if isinstance(node, ast.Import | ast.ImportFrom) and not _HARMLESS_MODULES.issuperset(modules):
            foreign |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return foreign


def _computes(name: str, functions: dict[str, ast.FunctionDef], harmless: frozenset[str], foreign: set[str]) -> bool:
    """Whether a function, and every function of its module that it calls, calls nothing but harmless names."""
    checked, pending = set[str](), [name]
    while pending:
        one = pending.pop()
        if one in checked:
            continue
        checked.add(one)
        nodes = list(ast.walk(functions[one]))
        if any(isinstance(node, _REACHES_OUT) or (isinstance(node, ast.Name) and node.id in foreign) for node in nodes):
            return False
        called = [_called(node) for node in nodes if isinstance(node, ast.Call)]
        pending += [other for other in called if other in functions]
        if any(other not in functions and other not in harmless for other in called):
            return False
    return True


_REACHES_OUT = (ast.Global, ast.Nonlocal, ast.Import, ast.ImportFrom, ast.Await, ast.With, ast.AsyncWith)


def _called(node: ast.Call) -> str:
    """The name that a call uses, a function's or a method's; a harmless module's function is called ``len`` here."""
    if isinstance(node.func, ast.Name):
        return node.func.id
    if isinstance(node.func, ast.Attribute):
        return "len" if ast.unparse(node.func).split(".")[0] in _HARMLESS_MODULES else node.func.attr
    return "(computed)"
