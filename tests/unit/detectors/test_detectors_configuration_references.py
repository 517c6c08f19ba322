from sre_bot.domain.finding import FaultKind
from tests.clusters import (
    app,
    config_map,
    container,
    deployment,
    event,
    found,
    key_ref,
    only,
    pod,
    replica_set,
    snapshot,
    thing,
    waiting,
)

READS_KEY = container(env=[key_ref("LEVEL", "ConfigMap", "settings", "log_level")])


def stuck(message: str):
    return [waiting("CreateContainerConfigError", message)]


def test_a_key_that_the_config_map_lacks_is_named_with_the_nearest_one() -> None:
    cluster = snapshot(
        app("api", READS_KEY, status=stuck("couldn't find key log_level in ConfigMap shop/settings")),
        config_map("settings", **{"log-level": "info", "colour": "red"}),
    )
    finding = only(cluster, FaultKind.MISSING_KEY)
    assert str(finding.object) == "Deployment/shop/api"
    assert finding.field == "spec.template.spec.containers[0].env[0].valueFrom.configMapKeyRef.key"
    assert (finding.observed, finding.expected, finding.directness) == ("log_level", "log-level", "stated")


def test_a_config_map_that_does_not_exist_is_named_with_the_nearest_one() -> None:
    cluster = snapshot(
        app("api", READS_KEY, status=stuck('configmap "settings" not found')), config_map("api-settings")
    )
    finding = only(cluster, FaultKind.MISSING_CONFIG_MAP)
    assert (finding.observed, finding.expected) == ("settings", "api-settings")


def test_a_secret_taken_whole_as_variables_is_missing() -> None:
    whole = container(envFrom=[{"secretRef": {"name": "db-login"}}])
    finding = only(snapshot(app("api", whole, status=stuck('secret "db-login" not found'))), FaultKind.MISSING_SECRET)
    assert finding.field == "spec.template.spec.containers[0].envFrom[0].secretRef.name"


def test_a_volume_that_cannot_be_mounted_names_its_config_map() -> None:
    volumes = [{"name": "conf", "configMap": {"name": "nginx-conf"}}]
    made = deployment("web", container(volumeMounts=[{"name": "conf", "mountPath": "/etc/nginx"}]), volumes=volumes)
    owner = replica_set(made)
    child = pod(owner, waiting("ContainerCreating"), phase="Pending", age=10)
    told = event(child, "FailedMount", 'MountVolume.SetUp failed for volume "conf" : configmap "nginx-conf" not found')
    finding = only(snapshot(made, owner, child, events=[told]), FaultKind.MISSING_CONFIG_MAP)
    assert finding.field == "spec.template.spec.volumes[0].configMap.name"


def test_a_volume_item_whose_key_is_absent_is_a_missing_key() -> None:
    volumes = [{"name": "conf", "configMap": {"name": "conf", "items": [{"key": "site.conf", "path": "site.conf"}]}}]
    made = deployment("web", volumes=volumes)
    owner = replica_set(made)
    child = pod(owner, waiting("ContainerCreating"), phase="Pending", age=10)
    told = event(
        child,
        "FailedMount",
        'MountVolume.SetUp failed for volume "conf" : configmap references non-existent config key: site.conf',
    )
    finding = only(
        snapshot(made, owner, child, config_map("conf", **{"default.conf": "x"}), events=[told]), FaultKind.MISSING_KEY
    )
    assert (finding.observed, finding.field) == ("site.conf", "spec.template.spec.volumes[0].configMap.items[0].key")


def test_an_optional_reference_may_be_absent() -> None:
    optional = container(env=[key_ref("LEVEL", "ConfigMap", "settings", "level", optional=True)])
    assert found(snapshot(app("api", optional))) == []


def test_a_running_pod_is_not_accused_of_an_object_that_was_not_recorded() -> None:
    assert found(snapshot(app("api", READS_KEY))) == []


def test_a_service_account_that_does_not_exist_is_told_by_the_replica_set() -> None:
    made = deployment("api", serviceAccountName="api-runner")
    owner = replica_set(made)
    told = event(
        owner,
        "FailedCreate",
        'Error creating: pods "api-rev1-" is forbidden: error looking up service account shop/api-runner: '
        'serviceaccount "api-runner" not found',
    )
    finding = only(
        snapshot(made, owner, thing("ServiceAccount", "api-run"), events=[told]), FaultKind.MISSING_SERVICE_ACCOUNT
    )
    assert (str(finding.object), finding.observed, finding.expected) == ("Deployment/shop/api", "api-runner", "api-run")
