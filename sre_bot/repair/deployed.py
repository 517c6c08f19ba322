"""Which folder of a repository is deployed to a cluster where nobody says so: the one that declares what runs there."""

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sre_bot.domain.cluster import ClusterSnapshot, ObjectRef
from sre_bot.domain.errors import BadManifest
from sre_bot.reasoning.manifests import declared
from sre_bot.repair import kustomize

Declarations = dict[str, tuple[ObjectRef, ...]]


@dataclass(frozen=True, slots=True)
class _Candidate:
    folder: str
    met: int
    """Live objects that it declares."""
    astray: int
    """Objects that it declares and that are not there."""

    @property
    def rank(self) -> tuple[int, int, int, str]:
        """Best first: what declares most, and of these what declares least else, the innermost folder."""
        return -self.met, self.astray, -self.folder.count("/") - bool(self.folder), self.folder


def deployed_folder(files: dict[str, str], snapshot: ClusterSnapshot) -> str:
    """The folder whose manifests, or whose Kustomize overlay, declare most of the live objects; empty for the root.

    Between two that declare the same, such as the overlays of two environments, the first by name is taken.
    """
    live = frozenset(ObjectRef.of(thing) for thing in snapshot.objects)
    known = {path: refs for path, text in files.items() if (refs := tuple(one.ref for one in declared(path, text)))}
    candidates = [_candidate(folder, files, known, live) for folder in sorted(_folders(files, known))]
    best = min(candidates, key=lambda one: one.rank, default=None)
    return best.folder if best and best.met else ""


def _folders(files: dict[str, str], known: Declarations) -> set[str]:
    """Every folder that holds a manifest or a kustomization somewhere below it."""
    inner = {posixpath.dirname(path) for path in files if path in known or path.endswith(kustomize.FILES)}
    return {above for folder in inner for above in _with_parents(folder)}


def _with_parents(folder: str) -> Iterator[str]:
    while folder:
        yield folder
        folder = posixpath.dirname(folder)
    yield ""


def _candidate(folder: str, files: dict[str, str], known: Declarations, live: frozenset[ObjectRef]) -> _Candidate:
    refs = [ref for path in _members(folder, files) for ref in known.get(path, ())]
    met = {str(found) for ref in refs for found in _live(ref, live)}
    return _Candidate(folder, len(met), len(refs) - len(met))


def _members(folder: str, files: dict[str, str]) -> Iterable[str]:
    try:
        overlay = kustomize.participants(files, folder)
    except BadManifest:
        overlay = ()
    return overlay or [path for path in files if not folder or path.startswith(f"{folder}/")]


def _live(ref: ObjectRef, live: frozenset[ObjectRef]) -> list[ObjectRef]:
    if ref.namespace:
        return [ref] if ref in live else []
    return [one for one in live if (one.kind, one.name) == (ref.kind, ref.name)]
