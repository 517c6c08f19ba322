"""Rules about the recorded objects and events: valid, of one moment, and what the repository makes of them."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from kubernetes_validate.utils import all_versions, schema_contents
from packaging.version import Version
from referencing import Registry, Resource

from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from tests.incident_folder import IncidentFolder, differences, moments

OWNERS = ("ReplicaSet", "StatefulSet", "DaemonSet", "Job", "Node", "Deployment", "CronJob")
SECRET = ("data", "stringData")


def the_manifests_at_the_head_are_valid_kubernetes(folder: IncidentFolder) -> Iterator[str]:
    version = folder.live("Node")[0]["status"]["nodeInfo"]["kubeletVersion"]
    minor = ".".join(version.removeprefix("v").split(".")[:2])
    for manifest in folder.manifests:
        if validator := _validator(minor, manifest["apiVersion"], manifest["kind"]):
            yield from (f"{ObjectRef.of(manifest)}: {error.message}" for error in validator.iter_errors(manifest))


@lru_cache
def _validator(minor: str, api_version: str, kind: str) -> Draft202012Validator | None:
    """What ``kubernetes_validate.validate`` makes anew for each object; None for kinds of somebody else."""
    group, _, version = api_version.rpartition("/")
    name = "-".join(filter(None, (kind.lower(), group.partition(".")[0], version)))
    try:
        schema = schema_contents(f"{_schemas(minor)}/{name}.json", minor)
    except FileNotFoundError:
        return None
    return Draft202012Validator(schema, registry=Resource.from_contents(schema) @ _definitions(minor))


def _schemas(minor: str) -> str:
    known = [version for version in all_versions() if Version(version) <= Version(f"{minor}.99")]
    return f"kubernetes-json-schema/v{known[-1]}-local-strict"


@lru_cache
def _definitions(minor: str) -> "Registry[Any]":
    return Resource.from_contents(schema_contents(f"{_schemas(minor)}/_definitions.json", minor)) @ Registry()


def the_cluster_is_what_the_manifests_at_the_head_make_of_it(folder: IncidentFolder) -> Iterator[str]:
    live = {ObjectRef.of(thing): thing for thing in folder.recording.objects}
    absent = [ref for ref in map(ObjectRef.of, folder.manifests) if ref not in live]
    yield from (f"{ref} is in the repository and not in the cluster" for ref in absent)
    pairs = [(_stored(one), live[ref]) for one in folder.manifests if (ref := ObjectRef.of(one)) in live]
    drifted = [place for wanted, thing in pairs for place in differences(wanted, thing, str(ObjectRef.of(wanted)))]
    if bool(drifted) != _is_drift(folder):
        yield f"it drifted at {drifted}" if drifted else "it is what the repository says, and drift is expected"


def _stored(manifest: KubernetesObject) -> KubernetesObject:
    """A manifest as far as a recording shows it: the values of a Secret are masked there."""
    return {key: value for key, value in manifest.items() if key not in SECRET or manifest["kind"] != "Secret"}


def _is_drift(folder: IncidentFolder) -> bool:
    causes = folder.recording.incident.expect.root_cause
    return any("config_drift" in (cause.kind, *cause.kind_also) for cause in causes)


def no_time_in_the_cluster_is_after_now(folder: IncidentFolder) -> Iterator[str]:
    for thing in (*folder.recording.objects, *folder.recording.events):
        if late := [moment for moment in moments(thing) if moment > folder.recording.now]:
            yield f"{ObjectRef.of(thing)}: {late[0]}"


def events_are_about_objects_that_are_or_were_there(folder: IncidentFolder) -> Iterator[str]:
    uids = {ObjectRef.of(thing): thing["metadata"]["uid"] for thing in folder.recording.objects}
    owners = {ref.name for ref in uids if ref.kind in OWNERS}
    for event in folder.recording.events:
        about = event["involvedObject"]
        ref = ObjectRef(kind=about["kind"], namespace=about.get("namespace", ""), name=about["name"])
        if ref in uids and about.get("uid") not in (uids[ref], ref.name if ref.kind == "Node" else uids[ref]):
            yield f"{ref} has another uid: {event['message']}"
        if ref not in uids and ref.name.rpartition("-")[0] not in owners:
            yield f"{ref} never was: {event['message']}"


def endpoint_slices_list_the_pods_that_the_selector_finds(folder: IncidentFolder) -> Iterator[str]:
    for service in folder.live("Service"):
        if service["spec"].get("selector"):
            endpoints = [one for found in folder.owned("EndpointSlice", service) for one in found["endpoints"] or ()]
            listed = {address for one in endpoints for address in one["addresses"]}
            pods = {pod["status"]["podIP"] for pod in folder.selected(service) if "podIP" in pod["status"]}
            if listed != pods:
                yield f"{ObjectRef.of(service)} lists {sorted(listed - pods)} and misses {sorted(pods - listed)}"


RULES = (
    the_manifests_at_the_head_are_valid_kubernetes,
    the_cluster_is_what_the_manifests_at_the_head_make_of_it,
    no_time_in_the_cluster_is_after_now,
    events_are_about_objects_that_are_or_were_there,
    endpoint_slices_list_the_pods_that_the_selector_finds,
)
