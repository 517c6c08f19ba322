"""The same incident under other names: applications, namespaces, labels, ports and commit subjects, in all its files.

Words are changed letter by letter, vowels to vowels and consonants to consonants, by one permutation for the whole
incident: so two names that differ in one letter still do, which a nearest-name search may rely on, and no name is what
it was. Other forms of a name are renamed with it, so that a path ``/invoices`` still speaks of ``invoicing``. Words
that mean something stay where they stand by themselves (``technical_words.txt``, fields of Kubernetes objects, and
``software_names.txt`` everywhere), and so do standard ports.
"""

import email
import email.policy
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sre_bot.domain.errors import BadRecording
from sre_bot.evals.vocabulary import WORD, compounds_of, forms_of, ports_of, words_of
from sre_bot.lab.recording import Recording

VOWELS, CONSONANTS = "aeiou", "bcdfghjklmnpqrstvwxyz"
NODE_PORTS = range(30_000, 32_768)
FREE_PORTS = range(2_100, 9_999)
TRIES = 50
SHORTEST_SUBJECT = 12
"""Characters from which a subject is also replaced where it is quoted."""
_NUMBER = re.compile(r"(?<![\w.])\d{4,5}(?![\w]|\.\d)")
_SUBJECT = re.compile(r"^Subject: .*\n(?:[ \t].*\n)*", re.MULTILINE)
_PREFIX = re.compile(r"^\[PATCH[^\]]*\]\s*")


@dataclass(frozen=True, slots=True)
class Renaming:
    """Old to new: ``letters`` of ``words`` and ``compounds``, which are names; ``ports``; ``subjects`` of commits."""

    letters: dict[str, str]
    words: frozenset[str]
    compounds: tuple[str, ...]
    ports: dict[str, str]
    subjects: dict[str, str]

    @classmethod
    def of(cls, recording: Recording, texts: Iterable[str], seed: int) -> "Renaming":
        """The renaming of one incident; the same seed always gives the same. Raises ``BadRecording``.

        No new name and no new port may stand in the ``texts`` of the incident already.
        """
        source, everything = random.Random(seed), "\n".join(texts)
        known = {word.lower() for word in WORD.findall(everything)}
        words = words_of(recording)
        words |= forms_of(recording, words, known)
        letters = _letters(source, words, known, recording.folder)
        ports = _ports(source, ports_of(recording), set(_NUMBER.findall(everything)))
        subjects = {subject: _changed(subject, letters) for subject in subjects_of(recording.folder)}
        compounds = tuple(sorted(compounds_of(recording), key=lambda name: (-len(name), name)))
        return cls(letters, words, compounds, ports, subjects)

    def text(self, text: str) -> str:
        """A text under the new names."""
        for old, new in sorted(self.subjects.items(), key=lambda pair: -len(pair[0])):
            text = text.replace(old, new) if len(old) >= SHORTEST_SUBJECT else text
        text = _NUMBER.sub(lambda match: self.ports.get(match[0], match[0]), text)
        if self.compounds:
            text = self._compound.sub(lambda match: _changed(match[0], self.letters), text)
        return WORD.sub(lambda match: self._word(match[0]), text)

    def subject(self, subject: str) -> str:
        """A commit's subject under the new names; one that no patch has stays, as ``none`` does."""
        return self.subjects.get(subject, subject)

    def object(self, ref: str) -> str:
        """``Kind/namespace/name`` under the new names; the kind stays."""
        kind, slash, rest = ref.partition("/")
        return f"{kind}{slash}{self.text(rest)}"

    @property
    def _compound(self) -> re.Pattern[str]:
        """Any of the compounds, also with underscores and in capitals, as variables have them."""
        spelled = "|".join(re.escape(name).replace(r"\-", "[-_]") for name in self.compounds)
        return re.compile(rf"(?<![A-Za-z0-9-])(?:{spelled})(?![A-Za-z0-9])", re.IGNORECASE)

    def _word(self, word: str) -> str:
        return _changed(word, self.letters) if word.lower() in self.words else word


def subjects_of(folder: Path) -> list[str]:
    """The subjects of an incident's patches."""
    return [_subject(file.read_bytes()) for file in sorted((folder / "history").glob("*.patch"))]


def rename(folder: Path, target: Path, seed: int) -> Renaming:
    """Write the renamed incident to ``target`` and return what was renamed. Raises ``BadRecording``.

    An incident whose history is a bundle cannot be renamed.
    """
    if (folder / "repo.bundle").is_file():
        raise BadRecording(f"{folder}: a history in repo.bundle cannot be renamed; write it as repo/ and history/")
    read = {file.relative_to(folder): _read(file) for file in sorted(folder.rglob("*")) if file.is_file()}
    renaming = Renaming.of(Recording.load(folder), [*read.values(), *map(str, read)], seed)
    for place, (path, text) in enumerate(read.items()):
        where = target / (f"history/{place:06}.patch" if path.parts[0] == "history" else renaming.text(str(path)))
        where.parent.mkdir(parents=True, exist_ok=True)
        new = _patch(text, renaming) if path.parts[0] == "history" else renaming.text(text)
        where.write_bytes(new.encode(errors="surrogateescape"))
    return renaming


def _read(file: Path) -> str:
    return file.read_bytes().decode(errors="surrogateescape")


def _subject(patch: bytes) -> str:
    return _PREFIX.sub("", str(email.message_from_bytes(patch, policy=email.policy.default)["Subject"] or ""))


def _patch(patch: str, renaming: Renaming) -> str:
    """A patch under the new names. The sign before a changed line is no part of the line."""
    subject = renaming.subject(_subject(patch.encode(errors="surrogateescape")))
    lines = "\n".join(
        f"{line[0]}{renaming.text(line[1:])}" if line.startswith(("+", "-", " ")) else renaming.text(line)
        for line in patch.split("\n")
    )
    return _SUBJECT.sub(lambda _: f"Subject: [PATCH] {subject}\n", lines, count=1)


def _letters(source: random.Random, words: frozenset[str], known: set[str], folder: Path) -> dict[str, str]:
    for _ in range(TRIES):
        letters = _permutation(source, VOWELS) | _permutation(source, CONSONANTS)
        if not any(_changed(word, letters) in known for word in words):
            return letters
    raise BadRecording(f"{folder}: no renaming was found whose names are all new")


def _permutation(source: random.Random, letters: str) -> dict[str, str]:
    """A permutation that leaves no letter in its place."""
    order = list(letters)
    source.shuffle(order)
    return dict(zip(order, order[1:] + order[:1], strict=True))


def _changed(text: str, letters: dict[str, str]) -> str:
    small = "".join(letters.get(letter, letter) for letter in text.lower())
    return "".join(new.upper() if old.isupper() else new for old, new in zip(text, small, strict=True))


def _ports(source: random.Random, ports: frozenset[int], taken: set[str]) -> dict[str, str]:
    new: dict[str, str] = {}
    for port in sorted(ports):
        choices = NODE_PORTS if port in NODE_PORTS else FREE_PORTS
        free = [one for one in choices if str(one) not in taken]
        new[str(port)] = str(source.choice(free))
        taken.add(new[str(port)])
    return new
