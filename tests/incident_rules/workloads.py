"""Rules about workloads, their revisions and their pods, as the controllers would keep them."""

from collections.abc import Iterator

from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from tests.incident_folder import IncidentFolder, differences, is_ready, revision


def a_deployment_and_its_newest_replica_set_agree(folder: IncidentFolder) -> Iterator[str]:
    for deployment in folder.live("Deployment"):
        if not (sets := folder.owned("ReplicaSet", deployment)):
            yield f"{ObjectRef.of(deployment)} has no ReplicaSet"
            continue
        newest = max(sets, key=revision)
        if revision(newest) != revision(deployment):
            yield f"{ObjectRef.of(deployment)} is at revision {revision(deployment)}, its newest at {revision(newest)}"
        yield from differences(deployment["spec"]["template"], newest["spec"]["template"], str(ObjectRef.of(newest)))


def the_status_of_a_deployment_counts_its_pods(folder: IncidentFolder) -> Iterator[str]:
    for deployment in folder.live("Deployment"):
        pods = [pod for one in folder.owned("ReplicaSet", deployment) for pod in folder.pods_of(one)]
        status = deployment["status"]
        counted = (status.get("replicas", 0), status.get("readyReplicas", 0))
        if counted != (len(pods), sum(map(is_ready, pods))):
            yield f"{ObjectRef.of(deployment)} counts {counted} of {len(pods)} pods"
        if status["observedGeneration"] != deployment["metadata"]["generation"]:
            yield f"{ObjectRef.of(deployment)} has not been looked at since it changed"


def a_replica_set_has_its_pods_unless_the_api_refused_them(folder: IncidentFolder) -> Iterator[str]:
    for replica_set in folder.live("ReplicaSet"):
        wanted, pods = replica_set["spec"]["replicas"], len(folder.pods_of(replica_set))
        if pods > wanted or (pods < wanted and not _refused(folder, replica_set)):
            yield f"{ObjectRef.of(replica_set)} wants {wanted} pods and has {pods}"


def _refused(folder: IncidentFolder, replica_set: KubernetesObject) -> bool:
    conditions = replica_set["status"].get("conditions", ())
    told = [
        event["involvedObject"].get("uid") for event in folder.recording.events if event["reason"] == "FailedCreate"
    ]
    return replica_set["metadata"]["uid"] in told or any(one["type"] == "ReplicaFailure" for one in conditions)


def pods_are_made_from_the_template_of_their_replica_set(folder: IncidentFolder) -> Iterator[str]:
    for replica_set in folder.live("ReplicaSet"):
        template = replica_set["spec"]["template"]
        for pod in folder.pods_of(replica_set):
            yield from _strays(template, pod)


def _strays(template: KubernetesObject, pod: KubernetesObject) -> Iterator[str]:
    name = str(ObjectRef.of(pod))
    yield from differences(template["metadata"]["labels"], pod["metadata"]["labels"], name)
    made = {container["name"]: container for container in pod["spec"]["containers"]}
    for container in template["spec"]["containers"]:
        declared = {key: value for key, value in container.items() if key != "volumeMounts"}
        yield from differences(declared, made.get(container["name"], {}), name)


def in_a_calm_cluster_every_workload_has_a_ready_pod(folder: IncidentFolder) -> Iterator[str]:
    """A pod that is just starting or leaving is an ordinary sight; a workload without any is not."""
    if folder.recording.incident.expect.verdict == "no_action":
        for deployment in folder.live("Deployment"):
            pods = [pod for one in folder.owned("ReplicaSet", deployment) for pod in folder.pods_of(one)]
            if pods and not any(map(is_ready, pods)):
                yield f"{ObjectRef.of(deployment)} has no ready pod"


RULES = (
    a_deployment_and_its_newest_replica_set_agree,
    the_status_of_a_deployment_counts_its_pods,
    a_replica_set_has_its_pods_unless_the_api_refused_them,
    pods_are_made_from_the_template_of_their_replica_set,
    in_a_calm_cluster_every_workload_has_a_ready_pod,
)
