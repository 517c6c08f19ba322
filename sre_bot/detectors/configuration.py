"""What a workload is configured with: every value that reaches its containers, and where it stands."""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from sre_bot.detectors.assignments import assignments, document_values
from sre_bot.detectors.fields import mapping, mappings, sequence, step, text
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.domain.cluster import KubernetesObject, ObjectRef

_SENSITIVE = re.compile(r"pass(?:word|wd|phrase)?|pwd|secret|token|api_?key|credential", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^@\s/]+(@)")
_EXPANSION = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")


def is_sensitive(key: str) -> bool:
    """Whether a key speaks of a password or a token."""
    return bool(_SENSITIVE.search(key))


@dataclass(frozen=True, slots=True)
class Setting:
    """One configured value: ``holder`` and ``field`` say where it stands, ``key`` is the variable's or entry's name.

    ``line`` is the line of a file that holds it, ``section`` tells the part of the file, so that a host and its port
    are found together. ``secret`` values are compared, never shown.
    """

    key: str
    value: str
    holder: ObjectRef
    field: str
    container: str = ""
    secret: bool = False
    variable: bool = False
    line: str = ""
    section: str = ""

    @property
    def sensitive(self) -> bool:
        """Whether the value must not be shown: it stands in a Secret, or its key speaks of a password or a token."""
        return self.secret or is_sensitive(self.key)

    @property
    def shown(self) -> str:
        """The setting as it stands there, passwords apart; the key alone where all of it is one."""
        if self.sensitive:
            return self.key
        line = self.line if not self.key or self.key in self.line else f"{self.key}: {self.line}"
        return _URL_PASSWORD.sub(r"\1***\2", line)


@dataclass(frozen=True, slots=True)
class Reference:
    """A pod specification's mention of a ConfigMap or Secret: whole (``key`` empty) or one key of it."""

    kind: str
    name: str
    key: str
    field: str
    container: str
    optional: bool
    variable: str = ""
    volume: str = ""


class Configuration:
    """The configuration of one workload, resolved as the kubelet does it."""

    def __init__(self, index: ClusterIndex, workload: Workload) -> None:
        self.index = index
        self.workload = workload

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        """Every mention of a ConfigMap or a Secret, image pull secrets apart."""
        found: list[Reference] = []
        for group in ("initContainers", "containers"):
            for position, container in enumerate(mappings(self.workload.spec, group)):
                where = step(step(self.workload.field, group), position)
                found += _container_references(container, where)
        for position, volume in enumerate(mappings(self.workload.spec, "volumes")):
            found += _volume_references(volume, step(step(self.workload.field, "volumes"), position))
        return tuple(found)

    @cached_property
    def settings(self) -> tuple[Setting, ...]:
        """Every value: literal variables, arguments, and the entries of ConfigMaps and Secrets that are used."""
        found: list[Setting] = []
        for group in ("initContainers", "containers"):
            for position, container in enumerate(mappings(self.workload.spec, group)):
                where = step(step(self.workload.field, group), position)
                found += self._literal(container, where)
        for reference in self.references:
            found += self._referred(reference)
        return tuple(found)

    def variables(self, container: str) -> dict[str, Setting | None]:
        """The variables of a container by name; None for those whose value cannot be known (field references)."""
        spec = next(
            (
                one
                for group in ("initContainers", "containers")
                for one in mappings(self.workload.spec, group)
                if text(one, "name") == container
            ),
            {},
        )
        known: dict[str, Setting | None] = {text(entry, "name"): None for entry in mappings(spec, "env")}
        for setting in self.settings:
            if setting.variable and setting.container == container:
                known[setting.key] = setting
        return known

    def has_unknown_sources(self, container: str) -> bool:
        """Whether a container takes whole objects as variables that the snapshot lacks."""
        return any(
            reference.container == container
            and not reference.key
            and not reference.volume
            and self._object(reference) is None
            for reference in self.references
        )

    def _object(self, reference: Reference) -> KubernetesObject | None:
        return self.index.get(reference.kind, self.workload.ref.namespace, reference.name)

    def _literal(self, container: dict[str, Any], where: str) -> Iterator[Setting]:
        name, ref = text(container, "name"), self.workload.ref
        plain = {text(entry, "name"): text(entry, "value") for entry in mappings(container, "env")}
        for position, entry in enumerate(mappings(container, "env")):
            if "value" in entry:
                value = _EXPANSION.sub(lambda match: plain.get(match[1], match[0]), text(entry, "value"))
                field = f"{where}.env[{position}].value"
                setting = Setting(text(entry, "name"), value, ref, field, name, variable=True, line=value)
                yield setting
                yield from inner_settings(setting)
        for group in ("command", "args"):
            before = ""
            for position, word in enumerate(map(str, sequence(container, group))):
                flag, equals, value = word.partition("=")
                key = flag.lstrip("-") if equals and flag.startswith("-") else ""
                spoken = before if not key and not word.startswith("-") else key
                field = f"{where}.{group}[{position}]"
                yield Setting(spoken, value if key else word, ref, field, name, line=word)
                before = word.lstrip("-") if word.startswith("--") and not equals else ""

    def _referred(self, reference: Reference) -> Iterator[Setting]:
        thing = self._object(reference)
        if thing is None:
            return
        for key, value, field in entries(thing):
            if reference.key and key != reference.key:
                continue
            variable = reference.variable or key
            yield from _settings_of(reference, thing, variable, value, field)


def inner_settings(whole: Setting) -> Iterator[Setting]:
    """The values of a document that stands in one line (JSON in a variable or in a file)."""
    for entry in document_values(whole.value):
        yield replace(whole, key=entry.key, value=entry.value, variable=False, line=entry.line, section=entry.section)


def entries(thing: KubernetesObject) -> Iterator[tuple[str, str, str]]:
    """The entries of a ConfigMap or Secret: key, text, field path. Values that are no text are left out."""
    for key, value in mapping(thing, "data").items():
        decoded = str(value) if thing.get("kind") == "ConfigMap" else _decoded(str(value))
        if decoded is not None:
            yield str(key), decoded, step("data", str(key))
    for key, value in mapping(thing, "stringData").items():
        yield str(key), str(value), step("stringData", str(key))


def keys_of(thing: KubernetesObject) -> tuple[str, ...]:
    """The keys of a ConfigMap or Secret."""
    return tuple(sorted({str(key) for group in ("data", "binaryData", "stringData") for key in mapping(thing, group)}))


def _settings_of(reference: Reference, thing: KubernetesObject, key: str, value: str, field: str) -> Iterator[Setting]:
    holder, secret = ObjectRef.of(thing), thing.get("kind") == "Secret"
    if "\n" not in value.strip():
        whole = Setting(
            key, value.strip(), holder, field, reference.container, secret, not reference.volume, line=value.strip()
        )
        yield whole
        yield from inner_settings(whole)
        return
    for entry in assignments(value):
        yield Setting(
            entry.key,
            entry.value,
            holder,
            field,
            reference.container,
            secret,
            line=entry.line,
            section=entry.section,
        )


def _container_references(container: dict[str, Any], where: str) -> Iterator[Reference]:
    name = text(container, "name")
    for position, source in enumerate(mappings(container, "envFrom")):
        for kind, word in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
            if source.get(word):
                field = f"{where}.envFrom[{position}].{word}.name"
                optional = bool(mapping(source, word).get("optional"))
                yield Reference(kind, text(source, word, "name"), "", field, name, optional)
    for position, entry in enumerate(mappings(container, "env")):
        for kind, word in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
            chosen = mapping(entry, "valueFrom", word)
            if chosen:
                field = f"{where}.env[{position}].valueFrom.{word}"
                yield Reference(
                    kind,
                    text(chosen, "name"),
                    text(chosen, "key"),
                    field,
                    name,
                    bool(chosen.get("optional")),
                    variable=text(entry, "name"),
                )


def _volume_references(volume: dict[str, Any], where: str) -> Iterator[Reference]:
    name = text(volume, "name")
    sources = [("ConfigMap", "configMap", "name", volume, where), ("Secret", "secret", "secretName", volume, where)]
    for position, part in enumerate(mappings(volume, "projected", "sources")):
        inside = f"{where}.projected.sources[{position}]"
        sources += [("ConfigMap", "configMap", "name", part, inside), ("Secret", "secret", "name", part, inside)]
    for kind, word, naming, holder, path in sources:
        source = mapping(holder, word)
        if not source:
            continue
        optional = bool(source.get("optional"))
        yield Reference(kind, text(source, naming), "", f"{path}.{word}.{naming}", "", optional, volume=name)
        for position, item in enumerate(mappings(source, "items")):
            field = f"{path}.{word}.items[{position}].key"
            yield Reference(kind, text(source, naming), text(item, "key"), field, "", optional, volume=name)


def _decoded(value: str) -> str | None:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
