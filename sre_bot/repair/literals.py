"""Text inside a block scalar (``|``): replaced line by line, so that untouched lines stay as they are."""

import yaml

from sre_bot.repair.yamltext import header_of, newline_of


def spliced_literal(text: str, node: yaml.Node, value: str) -> str:
    """The file's text with the block scalar ``node`` holding ``value``; it stays where and how it is indented."""
    start = text.index("\n", node.start_mark.index) + 1
    end = node.end_mark.index
    body = text[start:end]
    indent = _indent(body)
    newline = newline_of(text)
    header = _header(header_of(node, text), value)
    lines = [indent + line if line else "" for line in value.split("\n")]
    if value.endswith("\n"):
        lines.pop()
    kept_blank = body[len(body.rstrip()) :].split("\n", 1)[-1] if "\n" in body[len(body.rstrip()) :] else ""
    ending = newline if body.endswith("\n") else ""
    return text[: node.start_mark.index] + header + "\n" + newline.join(lines) + ending + kept_blank + text[end:]


def _indent(body: str) -> str:
    line = next((line for line in body.split("\n") if line.strip()), "  ")
    return line[: len(line) - len(line.lstrip(" "))]


def _header(header: str, value: str) -> str:
    """The indicator line, folded text turned literal, with the chomping that the value's end asks for."""
    rest = header.lstrip("|>+-0123456789")
    digits = "".join(char for char in header[: len(header) - len(rest)] if char.isdigit())
    chomp = "" if value.endswith("\n") and not value.endswith("\n\n") else "+" if value.endswith("\n") else "-"
    return f"|{digits}{chomp}{rest}"
