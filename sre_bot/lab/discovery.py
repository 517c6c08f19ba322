"""Discovery: what the Kubernetes API serves, aggregated (one document) and plain (one for each group version)."""

from typing import Any

from sre_bot.lab.kinds import Resource

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
VERSION = {
    "major": "1",
    "minor": "37",
    "emulationMajor": "1",
    "emulationMinor": "37",
    "gitVersion": "v1.37.1",
    "gitCommit": "0000000000000000000000000000000000000000",
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "go1.26.0",
    "compiler": "gc",
    "platform": "linux/amd64",
}

_SUBRESOURCES: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {("", "pods"): (("log", "Pod"), ("status", "Pod"))}


def wants_aggregated(accept: str) -> bool:
    """Whether the client understands aggregated discovery, version 2."""
    return any("as=APIGroupDiscoveryList" in part and "v=v2" in part.split(";") for part in accept.split(","))


def aggregated(resources: tuple[Resource, ...], *, core: bool) -> dict[str, Any]:
    """``APIGroupDiscoveryList`` of the core group or of all others."""
    groups = _groups(resources, core=core)
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [
            {
                "metadata": {"name": name, "creationTimestamp": None},
                "versions": [
                    {
                        "version": version,
                        "resources": [_discovered(item) for item in members],
                        "freshness": "Current",
                    }
                    for version, members in versions.items()
                ],
            }
            for name, versions in groups.items()
        ],
    }


def group_list(resources: tuple[Resource, ...]) -> dict[str, Any]:
    """The plain ``APIGroupList``."""
    names = _groups(resources, core=False)
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name, names[name]) for name in names]}


def group(resources: tuple[Resource, ...], name: str) -> dict[str, Any] | None:
    """One ``APIGroup``; None when it is not served."""
    versions = _groups(resources, core=False).get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)} if versions else None


def core_versions() -> dict[str, Any]:
    """The plain ``APIVersions`` of the core group."""
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def resource_list(resources: tuple[Resource, ...], group_version: str) -> dict[str, Any] | None:
    """The plain ``APIResourceList`` of a group version; None when it is not served."""
    members = [item for item in resources if item.group_version == group_version]
    if not members:
        return None
    listed = [entry for item in members for entry in (_listed(item), *_listed_subresources(item))]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": listed}


def _groups(resources: tuple[Resource, ...], *, core: bool) -> dict[str, dict[str, list[Resource]]]:
    groups: dict[str, dict[str, list[Resource]]] = {}
    for item in resources:
        if (item.group == "") == core:
            groups.setdefault(item.group, {}).setdefault(item.version, []).append(item)
    return groups


def _group(name: str, versions: dict[str, list[Resource]]) -> dict[str, Any]:
    entries = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": entries, "preferredVersion": entries[0]}


def _discovered(item: Resource) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "resource": item.plural,
        "responseKind": {"group": item.group, "version": item.version, "kind": item.kind},
        "scope": "Namespaced" if item.namespaced else "Cluster",
        "singularResource": item.singular,
        "verbs": list(item.verbs),
    }
    if item.short_names:
        entry["shortNames"] = list(item.short_names)
    if item.categories:
        entry["categories"] = list(item.categories)
    if subresources := _SUBRESOURCES.get((item.group, item.plural)):
        entry["subresources"] = [
            {
                "subresource": name,
                "responseKind": {"group": item.group, "version": item.version, "kind": kind},
                "verbs": ["get"],
            }
            for name, kind in subresources
        ]
    return entry


def _listed(item: Resource) -> dict[str, Any]:
    return {
        "name": item.plural,
        "singularName": item.singular,
        "namespaced": item.namespaced,
        "kind": item.kind,
        "verbs": list(item.verbs),
        **({"shortNames": list(item.short_names)} if item.short_names else {}),
        **({"categories": list(item.categories)} if item.categories else {}),
    }


def _listed_subresources(item: Resource) -> list[dict[str, Any]]:
    return [
        {"name": f"{item.plural}/{name}", "singularName": "", "namespaced": True, "kind": kind, "verbs": ["get"]}
        for name, kind in _SUBRESOURCES.get((item.group, item.plural), ())
    ]
