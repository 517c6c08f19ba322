"""Whether a claim is what a folder expects."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.evals.answers import Claim
from sre_bot.lab.recording import Cause

Owners = Mapping[str, str]
"""The controller of an object, both as ``Kind/namespace/name``."""


def owners_of(objects: Iterable[KubernetesObject]) -> dict[str, str]:
    """Who controls whom, from the objects' owner references."""
    return {
        str(ObjectRef.of(thing)): f"{owner.get('kind')}/{ObjectRef.of(thing).namespace}/{owner.get('name')}"
        for thing in objects
        for owner in (thing.get("metadata") or {}).get("ownerReferences") or ()
        if owner.get("controller")
    }


def kind_matches(claim: Claim, cause: Cause) -> bool:
    """Whether the kind is the expected one or, by ``kind_also``, an equally right one."""
    return claim.kind in (cause.kind, *cause.kind_also)


def object_matches(claim: Claim, cause: Cause, owners: Owners) -> bool:
    """Whether the object is one of those expected; any is where none is written.

    ``Kind/namespace/name``, the namespace empty for what has none. The kind ``*`` stands for any, and then for what
    the named workload controls as well: its ReplicaSets and Pods.
    """
    patterns = (cause.object,) if isinstance(cause.object, str) else cause.object
    return not patterns or any(_fits(claim.object, pattern, owners) for pattern in patterns)


def _fits(named: str, pattern: str, owners: Owners) -> bool:
    if not pattern.startswith("*/"):
        return _equal(named, pattern)
    return any(_equal(one, pattern) for one in _with_owners(named, owners))


def _equal(named: str, pattern: str) -> bool:
    pairs = tuple(zip(named.split("/", 2), pattern.split("/", 2), strict=False))
    return len(pairs) == 3 and all(fnmatchcase(part, wanted) for part, wanted in pairs)


def _with_owners(named: str, owners: Owners) -> list[str]:
    chain = [named]
    while (owner := owners.get(chain[-1])) and owner not in chain:
        chain.append(owner)
    return chain
