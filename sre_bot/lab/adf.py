"""Plain text to and from the Atlassian Document Format, in which Jira Cloud's v3 API carries bodies."""

import re
from typing import Any

_LINK = re.compile(r"\[([^|\]]+)\|([^|\]]+)\]")
_BLOCKS = ("paragraph", "heading", "codeBlock", "blockquote", "listItem", "panel", "rule")


def to_adf(text: str) -> dict[str, Any]:
    """One paragraph for each block between blank lines, with hard breaks at line ends."""
    blocks = [block for block in text.split("\n\n") if block]
    return {"type": "doc", "version": 1, "content": [_paragraph(block) for block in blocks]}


def from_adf(document: dict[str, Any]) -> str:
    """The text of a document, its blocks separated by blank lines. Raises ``ValueError`` on what is no document."""
    if document.get("type") != "doc":
        raise ValueError("not an Atlassian document")
    return "\n\n".join(filter(None, (_text(node).strip("\n") for node in document.get("content", ()))))


def _paragraph(block: str) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    for line in block.split("\n"):
        if content:
            content.append({"type": "hardBreak"})
        content.extend(_inline(line))
    return {"type": "paragraph", "content": content}


def _inline(line: str) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = []
    done = 0
    for link in _LINK.finditer(line):
        nodes.append({"type": "text", "text": line[done : link.start()]})
        nodes.append({"type": "text", "text": link[1], "marks": [{"type": "link", "attrs": {"href": link[2]}}]})
        done = link.end()
    nodes.append({"type": "text", "text": line[done:]})
    return [node for node in nodes if node["text"]]


def _text(node: dict[str, Any]) -> str:
    if node["type"] == "hardBreak":
        return "\n"
    if node["type"] == "text":
        return _linked(node)
    inner = "".join(_text(child) for child in node.get("content", ()))
    return inner + "\n" if node["type"] in _BLOCKS else inner


def _linked(node: dict[str, Any]) -> str:
    href = next((mark["attrs"]["href"] for mark in node.get("marks", ()) if mark["type"] == "link"), "")
    return f"[{node['text']}|{href}]" if href else node["text"]
