"""Objects made fit to be kept: each once, without secrets, without what fills pages and tells nothing."""

from collections.abc import Iterable

from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.redaction import redact_object


def distinct(things: Iterable[KubernetesObject]) -> list[KubernetesObject]:
    """Each object once, the newest where there are several versions of it, in a fixed order."""
    by_name: dict[tuple[str, str], KubernetesObject] = {}
    for thing in things:
        key = (thing["apiVersion"], str(ObjectRef.of(thing)))
        if key not in by_name or version_of(thing) >= version_of(by_name[key]):
            by_name[key] = thing
    return [by_name[key] for key in sorted(by_name)]


def version_of(thing: KubernetesObject) -> int:
    """The object's resource version as a number; 0 where it has none that is one."""
    version = str((thing.get("metadata") or {}).get("resourceVersion") or "")
    return int(version) if version.isascii() and version.isdigit() and len(version) < 30 else 0


def tidy(thing: KubernetesObject) -> KubernetesObject:
    """Without secrets, and without who managed which field and which images a node has cached."""
    metadata = {key: value for key, value in thing["metadata"].items() if key != "managedFields"}
    thing = redact_object({**thing, "metadata": metadata})
    if thing["kind"] == "Node" and "images" in (thing.get("status") or {}):
        thing["status"] = {key: value for key, value in thing["status"].items() if key != "images"}
    return thing
