"""Taking secrets out of a repository's files and leaving everything else as it stands, so that they can be shown."""

import re
from typing import Any

from sre_bot.domain.errors import BadManifest, NoSafeFix
from sre_bot.domain.redaction import MASK, redact, redact_object
from sre_bot.reasoning.manifests import documents
from sre_bot.repair import yamltext
from sre_bot.repair.edits import rewritten

_MANIFEST = re.compile(r"^[^\S\n]*[\"']?kind[\"']?\s*:", re.MULTILINE)
_SECRET = re.compile(r"^[^\S\n]*[\"']?kind[\"']?\s*:\s*[\"']?Secret\b", re.MULTILINE)
_BARE_MASK = re.compile(rf"(:[ \t]+|^[ \t]*-[ \t]+){re.escape(MASK)}([ \t]*)$", re.MULTILINE)
_NAME = "manifest.yaml"


def masked(text: str) -> str:
    """The text without secret values: those of Secrets (keys stay), of secret variables, and what looks like one.

    A manifest stays a manifest: it still parses, and says the same but for the secrets.
    """
    structured = _without_secrets(text) if _MANIFEST.search(text) else text
    plain = redact(structured)
    return structured if plain == structured else _BARE_MASK.sub(rf'\1"{MASK}"\2', plain)


def _without_secrets(text: str) -> str:
    """The manifests of a text, each with its secrets masked where they stand.

    What cannot be read, such as a template, stays as it is, unless it speaks of Secrets: then nothing of it is left.
    """
    found = documents(text)
    if not found and _SECRET.search(text):
        return ""
    if all(_redacted(document) == document for document in found):
        return text
    try:
        for place, document in enumerate(yamltext.load(_NAME, text)):
            wanted = _redacted(document)
            if wanted != document:
                text = rewritten(_NAME, text, place, wanted)
    except (BadManifest, NoSafeFix):
        return ""  # what cannot be edited in place is left out whole: secrecy before completeness
    return text


def _redacted(document: Any) -> Any:
    if not isinstance(document, dict):
        return document
    items = document.get("items")
    if str(document.get("kind", "")).endswith("List") and isinstance(items, list):
        return {**document, "items": [redact_object(item) if isinstance(item, dict) else item for item in items]}
    return redact_object(document) if "kind" in document else document
