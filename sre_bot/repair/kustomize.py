"""Kustomize overlays, as far as repairs need them: which files take part, and what names become.

Nothing is rendered. A value that stands in a resource or a strategic-merge patch is edited there; anything that only a
rendering could tell (generators, JSON patches, replacements) is left to the restoring of lines, or to a person.
"""

import posixpath
from typing import Any

from sre_bot.domain.errors import BadManifest
from sre_bot.repair import yamltext

FILES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_LISTS = ("resources", "bases", "components", "patchesStrategicMerge")


def kustomization_of(files: dict[str, str], folder: str) -> str:
    """The path of a folder's kustomization file; empty where it has none."""
    return next((path for name in FILES if (path := posixpath.join(folder, name)) in files), "")


def participants(files: dict[str, str], folder: str) -> tuple[str, ...]:
    """The files that an overlay is made of, the overlay's own first, each once; empty for a plain folder."""
    found: dict[str, None] = {}
    pending = [folder]
    while pending:
        place = pending.pop(0)
        path = kustomization_of(files, place)
        if path in found or not path:
            continue
        found[path] = None
        for name in _named_files(files[path], path):
            target = posixpath.normpath(posixpath.join(place, name))
            if target in files:
                found[target] = None
            else:
                pending.append(target)
    return tuple(found)


def _named_files(text: str, path: str) -> list[str]:
    body = _body(text, path)
    names = [name for key in _LISTS for name in _items(body, key) if isinstance(name, str)]
    for key in ("patches", "patchesJson6902"):
        names += [
            entry["path"]
            for entry in _items(body, key)
            if isinstance(entry, dict) and isinstance(entry.get("path"), str)
        ]
    for generator in _items(body, "configMapGenerator"):
        if isinstance(generator, dict):
            names += [str(name).split("=", 1)[-1] for key in ("files", "envs") for name in _items(generator, key)]
    return names


def _items(body: dict[str, Any], key: str) -> list[Any]:
    found = body.get(key)
    return found if isinstance(found, list) else []


def _body(text: str, path: str) -> dict[str, Any]:
    try:
        documents = yamltext.load(path, text)
    except BadManifest:
        return {}
    return documents[0] if documents and isinstance(documents[0], dict) else {}


def plain_names(files: dict[str, str], folder: str, name: str) -> tuple[str, ...]:
    """What an object of the cluster may be called in the resources: without prefix and suffix too, likeliest first."""
    names = [name]
    for path in participants(files, folder):
        body = _body(files[path], path) if path.endswith(FILES) else {}
        prefix, suffix = str(body.get("namePrefix") or ""), str(body.get("nameSuffix") or "")
        names += [one.removeprefix(prefix).removesuffix(suffix) for one in names if prefix or suffix]
    return tuple(dict.fromkeys(names))
