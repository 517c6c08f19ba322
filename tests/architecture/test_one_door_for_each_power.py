"""Each power has one door: the environment, outward writes, SQL, vendors."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2] / "sre_bot"
BESIDE = ("lab", "evals")
WRITES = {
    "jira": {"add_comment", "move", "assign", "link"},
    "github": {"commit", "create_pull_request", "update_pull_request", "comment", "merge"},
    "argocd": {"sync", "rollback"},
}
VENDORS = {
    "psycopg": ("persistence",),
    "redis": ("persistence",),
    "github": ("tools",),
    "jira": ("tools",),
    "kubernetes": ("tools",),
    "httpx": ("tools",),
    "langchain_openai": ("tools",),
}


def tower() -> Iterator[tuple[Path, ast.Module]]:
    for file in sorted(ROOT.rglob("*.py")):
        if file.relative_to(ROOT).parts[0] not in BESIDE:
            yield file.relative_to(ROOT), ast.parse(file.read_text())


def receiver(call: ast.Call) -> str:
    """The name on which a method is called, without leading underscores: ``self.tools.jira.move()`` gives ``jira``."""
    if not isinstance(call.func, ast.Attribute):
        return ""
    value = call.func.value
    name = value.attr if isinstance(value, ast.Attribute) else value.id if isinstance(value, ast.Name) else ""
    return "argocd" if name == "_deployer" else name.lstrip("_")


def writes(tree: ast.Module) -> list[str]:
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute))
    return [
        f"{receiver(call)}.{call.func.attr}"
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr in WRITES.get(receiver(call), ())
    ]


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module


def test_only_the_outward_door_calls_a_tools_writing_methods() -> None:
    found = {str(path): writes(tree) for path, tree in tower() if path.parts[0] != "tools" and writes(tree)}
    assert list(found) == ["graph/outward.py"], found
    assert len(set(found["graph/outward.py"])) >= 9


def test_only_the_settings_read_the_environment() -> None:
    def reads(tree: ast.Module) -> bool:
        return any(
            isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "environb")
            for node in ast.walk(tree)
        )

    assert [str(path) for path, tree in tower() if reads(tree)] == ["settings.py"]


def test_vendors_stay_at_home() -> None:
    strays = [
        f"{path} imports {name}"
        for path, tree in tower()
        for name in imports(tree)
        for vendor, homes in VENDORS.items()
        if name.split(".")[0] == vendor and path.parts[0] not in homes
        if not (vendor == "psycopg" and name == "psycopg" and path.parts[0] in ("cli", "worker"))
    ]
    assert strays == []


def test_importing_the_product_does_nothing_and_needs_no_setting() -> None:
    import subprocess
    import sys

    code = "import sre_bot.app, sre_bot.cli.main, sys; assert 'langchain_openai' not in sys.modules"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PATH": ""}, timeout=60)
    assert result.returncode == 0, result.stderr
    assert (result.stdout, result.stderr) == ("", "")
