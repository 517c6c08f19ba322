"""Plain requests that name a value for a field of the fix: “please use `384Mi`”, “5050 instead of http”."""

import re
from dataclasses import dataclass
from typing import Any

from sre_bot.domain.errors import NoSafeFix
from sre_bot.domain.fix import Fix
from sre_bot.repair.case import with_object
from sre_bot.repair.changes import changes_of
from sre_bot.repair.conditions.workloads import amount
from sre_bot.repair.fields import ABSENT, FieldPath, short_text, value_at, with_value
from sre_bot.repair.manifests import Manifest, Manifests

_QUANTITY = r"\d+(?:\.\d+)?(?:[KMGTPE]i?|m|k)"
_WORD = r"[A-Za-z0-9](?:[\w./:-]*[\w/])?"
_VALUE = rf"(?:`(?P<code>[^`\n]+)`|\"(?P<quoted>[^\"\n]+)\"|(?P<plain>{_QUANTITY}\b|\d+\b|{_WORD}))"
_USE = r"use|prefer|choose|take|try|make it|should be|must be|go with|want|better|how about|what about"
_ASKS = (
    rf"^\W*?{_VALUE}(?:,? please)?\W*$",
    rf"\b(?:set|change|raise|increase|lower|reduce|bump|put|move|limit|cap)\b[^.\n`\"]{{0,60}}?\b(?:to|at|=)\s+{_VALUE}",
    rf"\b(?:{_USE})\s+(?:the\s+(?:name|value|number)\s+)?{_VALUE}",
    rf"{_VALUE}\s+(?:instead|rather|would be (?:better|enough|fine)|is (?:enough|plenty|better))",
)
_NOT = re.compile(r"\b(?:instead of|rather than|not|don't use|do not use|than|from|over)\s+[`\"]?$", re.IGNORECASE)
_PORT_NAME = re.compile(r"(?=.{1,15}$)[a-z0-9]*[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_FORMS = {"name": str, "number": int}
_OTHER_FORM = re.compile(
    r"(?<!not )(?<!n't )(?<!never )\b(?:use|prefer|keep|take|with|by)\b(?! not\b)"
    r"[^.]{0,20}?\b(name|number)\b(?!\s*[`\"]|\s+\d)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Known:
    """What the repository holds: names that a bare word may be, and the ports of containers by name and number."""

    names: frozenset[str]
    ports: frozenset[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Edited:
    """A scalar field that the fix set: where, its value before and now."""

    manifest: Manifest
    path: FieldPath
    before: Any
    now: Any

    @property
    def name(self) -> str:
        """The field's own name, with its parent where that tells more (``limits.memory``)."""
        return short_text(self.path)


@dataclass(frozen=True, slots=True)
class Wish:
    """A value that a reviewer wants for a field."""

    field: Edited
    value: Any

    def applied(self, previous: Fix) -> str:
        """The edited file's text with the wanted value. Raises ``NoSafeFix`` when it cannot be written."""
        path = self.field.manifest.path
        text = next(edit.after for edit in previous.edits if edit.path == path) or ""
        found = Manifests.read({path: text}, "").lookup(self.field.manifest.ref)
        if len(found) != 1:
            raise NoSafeFix(f"{path} declares {self.field.manifest.ref} more than once")
        return with_object(found[0], text, with_value(found[0].body, self.field.path, self.value))


def edited_fields(fix: Fix) -> tuple[Edited, ...]:
    """The scalar fields that a fix sets; those of a whole list item or mapping it put in are among them."""
    found: list[Edited] = []
    for edit in fix.edits:
        if not edit.path.endswith((".yaml", ".yml", ".json")):
            continue
        for change in changes_of(edit):
            for path, value in _scalars(change.after, change.path):
                before = value_at(change.before, path[len(change.path) :]) if change.before is not ABSENT else ABSENT
                found.append(Edited(change.manifest, path, before, value))
    return tuple(found)


def _scalars(value: Any, path: FieldPath) -> list[tuple[FieldPath, Any]]:
    if isinstance(value, dict):
        return [pair for key, item in value.items() for pair in _scalars(item, (*path, key))]
    if isinstance(value, list):
        return [pair for i, item in enumerate(value) for pair in _scalars(item, (*path, _step(item, i)))]
    return [] if value is ABSENT or (isinstance(value, str) and "\n" in value) else [(path, value)]


def _step(item: Any, index: int) -> str | int:
    return str(item["name"]) if isinstance(item, dict) and "name" in item else index


def wish_in(text: str, fields: tuple[Edited, ...], known: Known) -> Wish | None:
    """The one wish that the text can mean; None where there is none or more than one."""
    wishes = _wishes(text, fields, known)
    news = [wish for wish in wishes if wish.value != wish.field.now]
    found = {(one.field.path, str(one.value)): one for one in news or wishes}
    return next(iter(found.values())) if len(found) == 1 else None


def _wishes(text: str, fields: tuple[Edited, ...], known: Known) -> list[Wish]:
    wishes: list[Wish] = []
    for sentence in re.split(r"(?<=[.!?;])\s+|\n+", text):
        wishes += _form_wishes(sentence, fields, known)
        for word in _values(sentence, known):
            fitting = [(field, value) for field in _meant(sentence, fields) if (value := _fit(word, field)) is not None]
            wishes += [Wish(field, value) for field, value in fitting]
    return wishes


def _values(sentence: str, known: Known) -> list[str]:
    """The values that a sentence asks for; those that it speaks against, and words that are no values, are left out."""
    found: list[str] = []
    for pattern in _ASKS:
        for match in re.finditer(pattern, sentence, re.IGNORECASE):
            name = next(name for name in ("code", "quoted", "plain") if match[name])
            is_value = name != "plain" or re.match(r"\d", match[name]) or match[name] in known.names
            if is_value and not _NOT.search(sentence[: match.start(name)]):
                found.append(match[name].strip())
    return list(dict.fromkeys(found))


def _meant(sentence: str, fields: tuple[Edited, ...]) -> list[Edited]:
    """The fields whose names the sentence uses, else all of them."""
    words = set(re.findall(r"[a-z]+", sentence.lower()))
    scored = [(len(words & _words_of(field)), field) for field in fields]
    best = max(score for score, _ in scored)
    return [field for score, field in scored if score == best]


def _words_of(field: Edited) -> set[str]:
    steps = [step for step in field.path if isinstance(step, str)]
    words = {word.lower() for step in steps[-3:] for word in re.findall(r"[A-Z]?[a-z]+", step)}
    return words | {word.removesuffix("s") for word in words}


def _fit(word: str, field: Edited) -> Any:
    """The word as a value of the field's type; None where it does not fit."""
    now, last = field.now, field.path[-1]
    number = re.fullmatch(r"\d{1,18}", word) is not None
    if "resources" in field.path:
        return word if amount(word) > 0 and not (number and "memory" in field.path) else None
    if last in ("targetPort", "port", "number"):
        return int(word) if number else word if _PORT_NAME.fullmatch(word) else None
    if isinstance(now, bool):
        return {"true": True, "false": False}.get(word.lower())
    if isinstance(now, int):
        return int(word) if number else None
    return word if isinstance(now, str) else None


def _form_wishes(sentence: str, fields: tuple[Edited, ...], known: Known) -> list[Wish]:
    """“Use the port name instead”: the same port in its other form."""
    asked = _OTHER_FORM.search(sentence)
    if asked is None:
        return []
    wanted = _FORMS[asked[1].lower()]
    ports = [field for field in fields if field.path[-1] in ("targetPort", "port")]
    others = [field for field in ports if not isinstance(field.now, wanted)]
    return [Wish(field, form) for field in others for form in _other_forms(field.now, known.ports)]


def _other_forms(now: Any, ports: frozenset[tuple[str, int]]) -> list[Any]:
    return [name if isinstance(now, int) else number for name, number in sorted(ports) if now in (name, number)]
