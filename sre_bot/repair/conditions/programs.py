"""Program code: a function no longer is what broke things."""

import ast
import hashlib


def fingerprints(source: str) -> dict[str, str]:
    """A digest of every function of a Python file by qualified name; layout, comments and docstrings do not count."""
    found: dict[str, str] = {}
    pending = [("", node) for node in ast.parse(source).body]
    while pending:
        prefix, node = pending.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            name = prefix + node.name
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            text = "".join(ast.dump(piece) for piece in [*node.decorator_list, *body])
            text += ast.dump(node.args) if not isinstance(node, ast.ClassDef) else ""
            found[name] = hashlib.sha256(text.encode()).hexdigest()[:16]
            pending += [(name + ".", child) for child in node.body]
    return found


def broken_functions(files: dict[str, str], broken: dict[str, dict[str, str]]) -> list[str]:
    """Functions that are again, statement for statement, what was deployed when it broke: path → function → digest."""
    return [
        f"{function} in {path} is the version that broke production"
        for path, functions in broken.items()
        for function, digest in functions.items()
        if path in files and fingerprints(files[path]).get(function) == digest
    ]


def broken_lines(files: dict[str, str], broken: dict[str, list[str]]) -> list[str]:
    """Files that hold all the lines again which the guilty commit brought: path → lines."""
    return [
        f"{path} holds the lines of the guilty commit again"
        for path, lines in broken.items()
        if path in files and set(lines) <= {line.strip() for line in files[path].splitlines()}
    ]


def lines_lost(files: dict[str, str], needed: dict[str, list[str]]) -> list[str]:
    """Lines that a file needs and no longer holds: path → lines."""
    found = {path: {line.strip() for line in text.splitlines()} for path, text in files.items()}
    return [
        f"{path} lacks {line!r}" for path, lines in needed.items() for line in lines if line not in found.get(path, ())
    ]
