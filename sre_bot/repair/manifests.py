"""The manifests of a tree: which file and document holds an object."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.errors import BadManifest, NoSafeFix
from sre_bot.repair import kustomize, yamltext
from sre_bot.repair.fields import ABSENT, FieldPath, value_at

_SUFFIXES = (".yaml", ".yml", ".json")
_TEMPLATE = re.compile(r"\{\{.{0,500}?\}\}")
_CHILD_OF = {"Pod": ("Job",), "ReplicaSet": ("Deployment",), "Job": ("CronJob",)}
_MAKES_PODS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet")


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object as a file of the repository declares it: document ``index`` of the file at ``path``."""

    path: str
    index: int
    body: dict[str, Any]
    item: int | None = None
    """The position in ``items`` where the document is a List."""

    @property
    def ref(self) -> ObjectRef:
        """Kind, namespace (empty where the manifest leaves it to the deployment) and name."""
        return ref_of(self.body)

    @property
    def prefix(self) -> tuple[str | int, ...]:
        """The path from the document's root to the object."""
        return () if self.item is None else ("items", self.item)


@dataclass(frozen=True, slots=True)
class Manifests:
    """All objects of one deployed folder, and the files that could not be read, with the reason.

    Where the folder is a Kustomize overlay, the files that it names count, wherever they stand, and no others.
    """

    objects: tuple[Manifest, ...]
    unreadable: dict[str, str]
    files: dict[str, str]
    folder: str = ""
    is_overlay: bool = False

    @classmethod
    def read(cls, files: dict[str, str], folder: str) -> "Manifests":
        """Read every YAML and JSON file of the folder (empty: the tree); a malformed one does not stop the others."""
        folder = _normal(folder)
        overlay = kustomize.participants(files, folder)
        paths = overlay or [path for path in sorted(files) if is_inside(path, folder)]
        inside = {path: files[path] for path in paths if path.endswith(_SUFFIXES)}
        objects: list[Manifest] = []
        unreadable: dict[str, str] = {}
        for path in inside:
            try:
                objects.extend(_objects_of(path, yamltext.load(path, inside[path])))
            except BadManifest as error:
                unreadable[path] = str(error)
        return cls(tuple(objects), unreadable, files if overlay else inside, folder, bool(overlay))

    def of_kind(self, *kinds: str) -> tuple[Manifest, ...]:
        """The objects of some kinds, in the order of files."""
        return tuple(manifest for manifest in self.objects if manifest.ref.kind in kinds)

    def find(self, ref: ObjectRef, field: FieldPath = ()) -> Manifest:
        """The manifest that declares an object, or the one that declares its owner.

        In an overlay an object is declared once and patched any number of times: the outermost file that sets the
        field counts, else the declaration. Raises ``BadManifest`` when the file that should hold the object is
        malformed, ``NoSafeFix`` when no file or more than one holds it.
        """
        found = self.lookup(ref) or self._renamed(ref) or self._owners(ref)
        if len(found) == 1:
            return found[0]
        if found and self.is_overlay:
            setting = [one for one in found if field and value_at(one.body, field) is not ABSENT]
            return setting[0] if setting else found[-1]
        if found:
            where = ", ".join(manifest.path for manifest in found)
            raise NoSafeFix(f"{ref} is declared more than once ({where}); which one counts is not ours to guess")
        self._raise_when_unreadable(ref)
        raise NoSafeFix(f"no manifest of {ref} was found among {len(self.files)} files of the deployed folder")

    def lookup(self, ref: ObjectRef) -> tuple[Manifest, ...]:
        """The manifests with that kind and name, and the namespace where both give one."""
        named = [one for one in self.objects if (one.ref.kind, one.ref.name) == (ref.kind, ref.name)]
        exact = [one for one in named if one.ref.namespace == ref.namespace]
        return tuple(exact or [one for one in named if not one.ref.namespace or not ref.namespace])

    def _renamed(self, ref: ObjectRef) -> tuple[Manifest, ...]:
        names = kustomize.plain_names(self.files, self.folder, ref.name) if self.is_overlay else ()
        found = (self.lookup(ref.model_copy(update={"name": name, "namespace": ""})) for name in names)
        return next((manifests for manifests in found if manifests), ())

    def _owners(self, ref: ObjectRef) -> tuple[Manifest, ...]:
        """Workloads whose controller would have made an object of that name."""
        if ref.kind not in ("Pod", "ReplicaSet", "Job"):
            return ()
        kinds = _MAKES_PODS if ref.kind == "Pod" else _CHILD_OF[ref.kind]
        owners = [one for one in self.of_kind(*kinds) if ref.name.startswith(one.ref.name + "-")]
        same_place = [one for one in owners if one.ref.namespace in ("", ref.namespace)]
        longest = max((len(one.ref.name) for one in same_place), default=0)
        return tuple(one for one in same_place if len(one.ref.name) == longest)

    def _raise_when_unreadable(self, ref: ObjectRef) -> None:
        name = re.compile(rf"name:\s*[\"']?{re.escape(ref.name)}[\"']?\s*$", re.MULTILINE)
        for path, problem in self.unreadable.items():
            text = self.files[path]
            if not (name.search(text) and re.search(rf"kind[\"']?:\s*[\"']?{ref.kind}\b", text)):
                continue
            if _TEMPLATE.search(text):
                raise NoSafeFix(f"{path} is a template (Helm?); it is not edited automatically")
            raise BadManifest(problem)


def ref_of(body: dict[str, Any]) -> ObjectRef:
    """An untrusted manifest's reference; parts that are no text read as their text."""
    metadata = body.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    namespace, name = metadata.get("namespace"), metadata.get("name")
    return ObjectRef(
        kind=str(body.get("kind", "")),
        namespace="" if namespace is None else str(namespace),
        name="" if name is None else str(name),
    )


def is_inside(path: str, folder: str) -> bool:
    """Whether a file stands in a folder; an empty folder is the tree's root."""
    folder = _normal(folder)
    return not folder or path == folder or path.startswith(folder + "/")


def _normal(folder: str) -> str:
    return "" if folder in (".", "./") else folder.removeprefix("./").strip("/")


def _objects_of(path: str, documents: list[Any]) -> Iterator[Manifest]:
    for index, body in enumerate(documents):
        if not isinstance(body, dict):
            continue
        items = body.get("items")
        if str(body.get("kind", "")).endswith("List") and isinstance(items, list):
            for position, item in enumerate(items):
                if isinstance(item, dict):
                    yield Manifest(path, index, item, position)
        elif "kind" in body:
            yield Manifest(path, index, body)
