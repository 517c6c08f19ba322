"""The names of an incident: the words of which applications, namespaces and labels are made, and the port numbers."""

import builtins
import keyword
import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.lab.recording import Recording

Json = dict[str, Any]

WORD = re.compile(r"\\[nrtfb](?=[A-Za-z])|[A-Za-z]{3,}")
"""A run of letters; an escape before it, as in JSON, is no part of it."""
NAMED = frozenset(
    {
        *("Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job", "Pod", "ReplicaSet", "Service", "ConfigMap"),
        *("Secret", "PersistentVolumeClaim", "Ingress", "ServiceAccount", "HorizontalPodAutoscaler"),
        *("PodDisruptionBudget", "NetworkPolicy"),
    }
)
"""Kinds whose names people choose."""
OF_USERS = ("app", "name", "app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/part-of")
STANDARD_PORTS = frozenset(
    {
        *(1433, 1521, 2181, 2379, 2380, 3306, 4222, 4317, 4318, 5432, 5671, 5672, 6379, 6443, 9042, 9092, 9200, 9300),
        *(10248, 10249, 10250, 10256, 10257, 10259, 11211, 15672, 27017),
    }
)
"""Ports that a client takes by itself where none is written; with those below 1024 they keep their meaning."""
_PORT_FIELDS = frozenset({"containerPort", "hostPort", "port", "targetPort", "nodePort", "number"})
_CHOSEN_KEYS = frozenset(
    {"data", "stringData", "binaryData", "labels", "annotations", "matchLabels", "selector", "nodeSelector"}
)
_ENTRY = "[]"
_CAMEL = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_HOST = re.compile(r"\b([a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)*)(?:\.svc\b|:(\d{4,5})(?![\w.]))")
_STEM_ENDING = re.compile(r"(?:ings?|es|ed|ers?|s|e)$")
_LEAST_STEM = 5
_YEARS = range(1970, 2100)
_REFERENCES = frozenset(
    {
        *("configMap", "configMapRef", "configMapKeyRef", "secretRef", "secretKeyRef", "persistentVolumeClaim"),
        *("claimName", "secretName", "serviceName", "serviceAccountName", "scaleTargetRef", "service"),
    }
)
"""Fields under which an object of our own is named, whether it exists or not."""


def is_system(namespace: str) -> bool:
    """Whether a namespace belongs to the cluster itself."""
    return namespace == "default" or namespace.startswith("kube-")


def words_of(recording: Recording) -> frozenset[str]:
    """The words, in lower case, that names in this incident are made of, technical ones apart."""
    chosen = {word for name in _names(recording) for word in _words(name)}
    return frozenset(chosen - _technical() - {word for thing in recording.objects for word in _field_words(thing)})


def forms_of(recording: Recording, words: frozenset[str], known: Iterable[str]) -> frozenset[str]:
    """The other grammatical forms of names among the known words; short words are alike by accident."""
    fields = {word for thing in recording.objects for word in _field_words(thing)}
    stems = {stem for word in words if len(stem := _STEM_ENDING.sub("", word)) >= _LEAST_STEM}
    return frozenset(word for word in known if _STEM_ENDING.sub("", word) in stems) - _technical() - fields


def compounds_of(recording: Recording) -> frozenset[str]:
    """Names of several words that are all technical ones, such as ``app-server``; those of known software apart."""
    kept, software = words_of(recording), _listed("software_names.txt")
    names = {name for thing in recording.objects for name in _object_names(thing)}
    return frozenset(
        name
        for name in names
        if len(words := list(_words(name))) > 1 and not kept & {*words} and not software & {*words} and "." not in name
    )


def ports_of(recording: Recording) -> frozenset[int]:
    """The port numbers in use, those with a meaning of their own apart."""
    found = {port for thing in recording.objects for port in _ports(thing)}
    return frozenset(port for port in found if 1024 <= port <= 65535 and port not in {*STANDARD_PORTS, *_YEARS})


def _names(recording: Recording) -> Iterator[str]:
    for thing in recording.objects:
        metadata: Json = thing.get("metadata") or {}
        namespace = str(metadata.get("namespace") or "")
        if thing.get("kind") in NAMED and not is_system(namespace):
            yield namespace
            yield str(metadata.get("name") or "") if not metadata.get("ownerReferences") else ""
            yield from _label_values(metadata.get("labels") or {})
            yield from _addresses(thing)


def _object_names(thing: KubernetesObject) -> Iterator[str]:
    metadata: Json = thing.get("metadata") or {}
    if thing.get("kind") in NAMED and not str(metadata.get("namespace") or "").startswith("kube-"):
        yield str(metadata.get("name") or "") if not metadata.get("ownerReferences") else ""
        yield from _referred(thing.get("spec") or {})


def _referred(thing: Any) -> Iterator[str]:
    for path, value in _leaves(thing):
        field = next((key for key in reversed(path) if key != "name"), "")
        if isinstance(value, str) and field in _REFERENCES:
            yield value


def _label_values(labels: Json) -> Iterator[str]:
    for key, value in labels.items():
        if ("/" not in key or key in OF_USERS) and not key.endswith("-hash"):
            yield str(value)


def _addresses(thing: Any) -> Iterator[str]:
    """The hosts in an object's texts, also those that nothing answers to."""
    for text in _texts(thing):
        yield from (match[1] for match in _HOST.finditer(text))


def _texts(thing: Any) -> Iterator[str]:
    return (value for _, value in _leaves(thing) if isinstance(value, str))


def _ports(thing: Any) -> Iterator[int]:
    for path, value in _leaves(thing):
        field = next((key for key in reversed(path) if key != _ENTRY), "")
        if isinstance(value, str):
            yield from (int(match[2]) for match in _HOST.finditer(value) if match[2])
        elif isinstance(value, int) and field in _PORT_FIELDS:
            yield value


def _leaves(thing: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value that holds no others, with the fields that lead to it; an entry of a list is ``_ENTRY``."""
    if isinstance(thing, dict):
        fields: Json = thing  # pyright: ignore[reportUnknownVariableType]  # any JSON
        for key, value in fields.items():
            yield from _leaves(value, (*path, str(key)))
    elif isinstance(thing, list):
        entries: list[Any] = thing  # pyright: ignore[reportUnknownVariableType]  # any JSON
        for value in entries:
            yield from _leaves(value, (*path, _ENTRY))
    else:
        yield path, thing


def _words(name: str) -> Iterable[str]:
    return (word.lower() for word in re.findall(r"[A-Za-z]{3,}", name))


def _field_words(thing: Any) -> Iterator[str]:
    """The words of the fields that Kubernetes named, and of the kind."""
    if isinstance(thing, list):
        for value in thing:  # pyright: ignore[reportUnknownVariableType]  # any JSON
            yield from _field_words(value)
    if isinstance(thing, dict):
        fields: KubernetesObject = thing  # pyright: ignore[reportUnknownVariableType]  # any JSON
        yield from _split(str(fields.get("kind", "")))
        for key, value in fields.items():
            yield from _split(key)
            if key not in _CHOSEN_KEYS:
                yield from _field_words(value)


def _split(camel: str) -> Iterator[str]:
    return (part.lower() for part in _CAMEL.findall(camel)) if re.fullmatch(r"[A-Za-z]+", camel) else iter(())


def _technical() -> frozenset[str]:
    listed = _listed("technical_words.txt") | _listed("software_names.txt")
    return listed | {*keyword.kwlist, *(name.lower() for name in dir(builtins))}


@cache
def _listed(file: str) -> frozenset[str]:
    lines = (files("sre_bot.evals") / file).read_text().splitlines()
    return frozenset(" ".join(line for line in lines if not line.startswith("#")).split())
