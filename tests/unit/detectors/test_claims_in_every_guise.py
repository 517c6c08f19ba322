from typing import Any

import pytest

from tests.clusters import (
    Object,
    event,
    node,
    pending,
    thing,
    waiting,
)
from tests.variants import answer, claim, family, mounts, named, pods_of, volume

CLAIM = "PersistentVolumeClaim/shop/data"


UNBOUND = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: not helpful."


def storage(name: str, provisioner: str = "ebs.csi.aws.com", mode: str = "Immediate", **rest: Any) -> Object:
    return thing("StorageClass", name, namespace="", provisioner=provisioner, volumeBindingMode=mode, **rest)


def user(kind: str = "Deployment") -> list[Object]:
    """A workload that waits for the claim."""
    chain = family(kind, volumes=[mounts()])
    return [*chain, pending(chain[-1], UNBOUND), node()]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "Job", "CronJob"])
def test_a_class_that_does_not_exist_is_the_claims_whoever_waits(kind: str) -> None:
    wanted = claim(storage="fast-ssd")
    told = event(wanted, "ProvisioningFailed", 'storageclass.storage.k8s.io "fast-ssd" not found')
    said = answer(user(kind), wanted, storage("gp3"), events=[told])
    assert (said.kind, said.object, said.verdict) == ("storage_class_missing", CLAIM, "fix")


def test_a_class_that_does_not_exist_is_seen_without_events_and_without_other_classes_of_that_name() -> None:
    assert named(user(), claim(storage="fast-ssd"), storage("gp3"), storage("standard")) == (
        "storage_class_missing",
        CLAIM,
    )


def test_a_claim_without_a_class_where_none_is_the_default_misses_a_class() -> None:
    wanted = claim(storage=None)
    said = "no persistent volumes available for this claim and no storage class is set"
    told = event(wanted, "FailedBinding", said, warning=False)
    assert named(user(), wanted, storage("gp3"), events=[told]) == ("storage_class_missing", CLAIM)


def test_a_stateful_sets_own_claim_is_led_home_to_its_template() -> None:
    template = {
        "metadata": {"name": "data"},
        "spec": {"storageClassName": "fast-ssd", "accessModes": ["ReadWriteOnce"]},
    }
    chain = family("StatefulSet", rest={"template": {"volumeClaimTemplates": [template]}})
    waits = pending(chain[-1], UNBOUND, name="api-0")
    waits["spec"]["volumes"] = [mounts("data-api-0")]
    wanted = claim("data-api-0", storage="fast-ssd")
    told = event(wanted, "ProvisioningFailed", 'storageclass.storage.k8s.io "fast-ssd" not found')
    said = answer(chain, waits, wanted, storage("gp3"), node(), events=[told])
    assert (said.kind, said.object) == ("storage_class_missing", "PersistentVolumeClaim/shop/data-api-0")


STATIC = [
    pytest.param(claim(storage="manual", size="50Gi"), volume("pv-a"), "pvc_capacity_mismatch", id="size"),
    pytest.param(
        claim(storage="manual", accessModes=["ReadWriteMany"]), volume("pv-a"), "pvc_access_mode_mismatch", id="mode"
    ),
    pytest.param(
        claim(storage="manual", accessModes=["ReadWriteOncePod"]),
        volume("pv-a"),
        "pvc_access_mode_mismatch",
        id="one pod",
    ),
    pytest.param(
        claim(storage="manual", selector={"matchLabels": {"tier": "gold"}}),
        volume("pv-a", labels={"tier": "silver"}),
        "pvc_selector_mismatch",
        id="labels",
    ),
    pytest.param(
        claim(storage="manual", selector={"matchExpressions": [{"key": "tier", "operator": "In", "values": ["gold"]}]}),
        volume("pv-a", labels={"tier": "silver"}),
        "pvc_selector_mismatch",
        id="expression",
    ),
    pytest.param(
        claim(storage="manual", volumeName="pv-a"),
        volume("pv-a", claimRef={"namespace": "other", "name": "data"}),
        "pv_already_bound",
        id="taken",
    ),
    pytest.param(
        claim(storage="manual"),
        volume("pv-a", claimRef={"namespace": "shop", "name": "former", "uid": "1"}),
        "pv_already_bound",
        id="released",
    ),
    pytest.param(
        claim(storage="", size="50Gi"), volume("pv-a", storage=""), "pvc_capacity_mismatch", id="no class, size"
    ),
    pytest.param(
        claim(storage="", size="50Gi", volumeName="pv-a"),
        volume("pv-a", storage=""),
        "pvc_capacity_mismatch",
        id="named, size",
    ),
    pytest.param(claim(storage="manual", size="11G"), volume("pv-a", size="10Gi"), "pvc_capacity_mismatch", id="units"),
]


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize(("wanted", "held", "expected"), STATIC)
def test_every_condition_of_static_binding_is_told_from_the_others(
    wanted: Object, held: Object, expected: str, *, told: bool
) -> None:
    said = "no persistent volumes available for this claim and no storage class is set"
    events = [event(wanted, "FailedBinding", said, warning=False)] if told else []
    answered = answer(user(), wanted, held, events=events)
    assert (answered.kind, answered.object, answered.verdict) == (expected, CLAIM, "fix")


def test_of_several_volumes_the_one_that_nearly_fits_tells_the_reason() -> None:
    wanted = claim(storage="manual", size="20Gi", selector={"matchLabels": {"tier": "gold"}})
    others = [volume("pv-a", labels={"tier": "silver"}), volume("pv-b", size="5Gi", labels={"tier": "gold"})]
    taken = volume("pv-c", size="20Gi", labels={"tier": "gold"}, claimRef={"namespace": "shop", "name": "other"})
    assert named(user(), wanted, *others) == ("pvc_capacity_mismatch", CLAIM)
    assert named(user(), wanted, taken) == ("pv_already_bound", CLAIM)


def test_of_volumes_in_use_none_is_wanted_while_a_free_one_fails_too() -> None:
    wanted = claim(storage="manual", size="20Gi")
    used = volume("pv-a", size="20Gi", claimRef={"namespace": "shop", "name": "other"})
    rightful = claim("other", storage="manual", phase="Bound", volumeName="pv-a")
    assert named(user(), wanted, rightful, used, volume("pv-b", size="10Gi")) == ("pvc_capacity_mismatch", CLAIM)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("requested PV is too small", "pvc_capacity_mismatch"),
        ("incompatible accessMode", "pvc_access_mode_mismatch"),
    ],
)
def test_the_controllers_own_reason_is_taken_where_the_volume_is_hidden(reason: str, expected: str) -> None:
    wanted = claim(storage="manual", volumeName="pv-a", size="50Gi", accessModes=["ReadWriteMany"])
    told = event(wanted, "VolumeMismatch", f'Cannot bind to requested volume "pv-a": {reason}')
    assert named(user(), wanted, events=[told]) == (expected, CLAIM)


def test_a_volume_of_another_claim_is_taken_where_only_the_event_says_so() -> None:
    wanted = claim(storage="manual", volumeName="pv-a")
    told = event(wanted, "FailedBinding", 'volume "pv-a" already bound to a different claim.')
    assert named(user(), wanted, events=[told]) == ("pv_already_bound", CLAIM)


@pytest.mark.parametrize(
    "said",
    [
        'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) api-1',
        (
            'Multi-Attach error for volume "pvc-1" Volume is already exclusively attached to one node and can\'t be '
            "attached to another"
        ),
    ],
)
def test_one_writer_on_two_nodes_is_a_matter_of_the_access_mode(said: str) -> None:
    objects = pods_of("Deployment", volumes=[mounts()], statuses=[waiting("ContainerCreating")])
    told = event(objects[-1], "FailedAttachVolume", said)
    assert named(objects, claim(phase="Bound"), node(), events=[told])[0] == "pvc_access_mode_mismatch"


@pytest.mark.parametrize(
    "said",
    [
        (
            'failed to provision volume with StorageClass "nfs": rpc error: code = InvalidArgument desc = Volume '
            "capabilities "
            "MULTI_NODE_MULTI_WRITER not supported. Only AccessModes[ReadWriteOnce] supported."
        ),
        (
            'failed to provision volume with StorageClass "nfs": rpc error: code = InvalidArgument desc = Volume '
            "capability "
            "not supported: access mode MULTI_NODE_MULTI_WRITER"
        ),
        (
            'failed to provision volume with StorageClass "nfs": rpc error: code = InvalidArgument desc = '
            "VolumeCapabilities is "
            "invalid: specified multi writer with mount access type"
        ),
    ],
)
def test_a_driver_that_cannot_share_refuses_the_access_mode(said: str) -> None:
    wanted = claim(storage="nfs", accessModes=["ReadWriteMany"])
    told = event(wanted, "ProvisioningFailed", said)
    assert named(user(), wanted, storage("nfs"), events=[told]) == ("pvc_access_mode_mismatch", CLAIM)


def test_a_claim_that_waits_for_its_first_pod_is_no_fault() -> None:
    wanted = claim(storage="gp3")
    told = event(
        wanted, "WaitForFirstConsumer", "waiting for first consumer to be created before binding", warning=False
    )
    lazy = storage("gp3", mode="WaitForFirstConsumer")
    assert named(pods_of("Deployment"), wanted, lazy, node(), events=[told])[0] == "healthy"


def test_a_bound_claim_is_no_fault_whatever_its_events_were() -> None:
    bound = claim(phase="Bound", storage="fast-ssd")
    objects = pods_of("Deployment", volumes=[mounts()])
    told = event(bound, "ProvisioningFailed", 'storageclass.storage.k8s.io "fast-ssd" not found', minutes=50)
    assert named(objects, bound, storage("fast-ssd"), node(), events=[told])[0] in ("healthy", "recovered")
