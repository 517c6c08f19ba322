"""Reading plain manifests; shared by the conditions."""

from typing import Any


def part(thing: Any, *path: str | int) -> Any:
    """The value under keys and indices, None where a step is missing; a text finds the list item of that name."""
    for step in path:
        if isinstance(thing, list) and isinstance(step, str):
            thing = next((item for item in thing if isinstance(item, dict) and item.get("name") == step), None)
        elif isinstance(thing, list):
            thing = thing[int(step)] if int(step) < len(thing) else None
        else:
            thing = thing.get(step) if isinstance(thing, dict) else None
    return thing


def entries(thing: Any, *path: str | int) -> list[dict[str, Any]]:
    """The mappings in the list under a path; empty where there is none."""
    found = part(thing, *path)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def table(thing: Any, *path: str | int) -> dict[str, Any]:
    """The mapping under a path; empty where there is none."""
    found = part(thing, *path)
    return found if isinstance(found, dict) else {}


def find(objects: list[Any], kind: str, namespace: str, name: str) -> Any:
    """The object of that kind and name; a manifest that names no namespace is in every one. None when absent."""
    for thing in objects:
        place = part(thing, "metadata", "namespace")
        if part(thing, "kind") == kind and part(thing, "metadata", "name") == name and place in (None, "", namespace):
            return thing
    return None


def pod_template(thing: Any) -> Any:
    """The template of the pods that a workload makes: their metadata and spec. A Pod is its own."""
    if part(thing, "kind") == "Pod":
        return thing
    if part(thing, "kind") == "CronJob":
        return table(thing, "spec", "jobTemplate", "spec", "template")
    return table(thing, "spec", "template")


def containers(thing: Any) -> list[dict[str, Any]]:
    """All containers of a workload, init containers first."""
    template = pod_template(thing)
    return [*entries(template, "spec", "initContainers"), *entries(template, "spec", "containers")]


def pods_selected(objects: list[Any], namespace: str, selector: dict[str, Any]) -> list[Any]:
    """The templates of the pods that carry all labels of a selector; an empty one selects none."""
    templates = [
        pod_template(thing) for thing in objects if part(thing, "metadata", "namespace") in (None, "", namespace)
    ]
    return [
        template
        for template in templates
        if selector and all(part(template, "metadata", "labels", key) == value for key, value in selector.items())
    ]
