from typing import Any

import pytest

from sre_bot.domain.finding import FaultKind
from tests.clusters import (
    app,
    config_map,
    container,
    deployment,
    ended,
    env,
    found,
    log,
    looping,
    only,
    pod,
    replica_set,
    running,
    snapshot,
    waiting,
)

EXEC = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
    "unable to start container "
    'process: error during container init: exec: "/app/serverd": stat /app/serverd: no such file or directory'
)


def crashing(*lines: str, code: int = 1, **spec: Any):
    objects = app("api", container(**spec), status=[looping(code)])
    return snapshot(objects, logs=[log(objects[-1], *lines)])


def test_a_command_that_is_not_in_the_image_is_named_with_its_field() -> None:
    broken = container(command=["/app/serverd", "--port=80"])
    finding = only(snapshot(app("api", broken, status=[waiting("RunContainerError", EXEC)])), FaultKind.INVALID_COMMAND)
    assert (finding.field, finding.observed) == ("spec.template.spec.containers[0].command[0]", "/app/serverd")


def test_a_container_that_could_not_be_started_is_an_invalid_command_too() -> None:
    broken = container(command=["/app/serverd"])
    objects = app("api", broken, status=[looping(128, "StartError", message=EXEC)])
    assert found(snapshot(objects)) == [(FaultKind.INVALID_COMMAND, "Deployment/shop/api")]


def test_a_flag_that_the_program_does_not_know_is_an_invalid_command_at_that_argument() -> None:
    finding = only(
        crashing("Error: unknown flag: --verbos", code=2, args=["serve", "--verbos=true"]), FaultKind.INVALID_COMMAND
    )
    assert (finding.field, finding.observed) == ("spec.template.spec.containers[0].args[1]", "--verbos")


def test_a_container_that_ends_well_again_and_again_has_nothing_to_do() -> None:
    objects = app("api", container(command=["echo", "hello"]), status=[looping(0, "Completed")])
    assert found(snapshot(objects)) == [(FaultKind.INVALID_COMMAND, "Deployment/shop/api")]


@pytest.mark.parametrize(
    "line",
    [
        "Environment variable QUEUE_URL is not set",
        "KeyError: 'QUEUE_URL'",
        "panic: required key QUEUE_URL missing value",
        "Error: Missing required environment variable: QUEUE_URL",
        "/entrypoint.sh: line 3: QUEUE_URL: unbound variable",
        "./run.sh: 12: QUEUE_URL: parameter not set",
        "Error: QUEUE_URL must be set",
        "config error: env var QUEUE_URL is required",
        "FATAL: QUEUE_URL environment variable is empty or not defined",
        "java.lang.IllegalArgumentException: Could not resolve placeholder 'QUEUE_URL' in value \"${QUEUE_URL}\"",
        "Error: environment variable not found: QUEUE_URL",
        "thread 'main' panicked at src/main.rs:12:40: QUEUE_URL must be set: NotPresent",
        "please set the QUEUE_URL environment variable",
        "queue_url: QUEUE_URL is undefined",
    ],
)
def test_a_variable_that_a_crashing_program_misses_is_named(line: str) -> None:
    finding = only(crashing(line, env=env(LOG_LEVEL="info")), FaultKind.MISSING_ENV)
    assert (finding.observed, finding.field) == ("QUEUE_URL", "spec.template.spec.containers[0].env")


def test_a_variable_that_is_set_is_not_missing_whatever_the_log_says() -> None:
    assert FaultKind.MISSING_ENV not in [
        kind for kind, _ in found(crashing("QUEUE_URL is not set", env=env(QUEUE_URL="amqp://mq")))
    ]


def test_a_variable_that_a_config_map_gives_is_not_missing() -> None:
    objects = app("api", container(envFrom=[{"configMapRef": {"name": "conf"}}]), status=[looping(1)])
    cluster = snapshot(
        objects, config_map("conf", QUEUE_URL="amqp://mq.example.com"), logs=[log(objects[-1], "QUEUE_URL is not set")]
    )
    assert FaultKind.MISSING_ENV not in [kind for kind, _ in found(cluster)]


def test_words_in_capitals_that_are_no_variables_are_not_missing() -> None:
    assert FaultKind.MISSING_ENV not in [
        kind for kind, _ in found(crashing("ERROR is not found", "HTTP GET missing", "JSON is invalid"))
    ]


def test_an_init_container_that_fails_for_its_own_reason_is_named() -> None:
    objects = app("api", initContainers=[container("migrate")])
    objects[-1]["status"]["initContainerStatuses"] = [looping(1, name="migrate")]
    objects[-1]["status"]["containerStatuses"] = [waiting("PodInitializing")]
    finding = only(snapshot(objects), FaultKind.INIT_CONTAINER_FAILED)
    assert (finding.observed, finding.field) == ("migrate", "spec.template.spec.initContainers[0]")


def test_an_init_container_that_has_done_its_work_is_no_fault() -> None:
    objects = app("api", initContainers=[container("migrate")])
    done = {
        "name": "migrate",
        "ready": True,
        "restartCount": 0,
        "state": {"terminated": ended(0, "Completed")},
        "lastState": {},
    }
    objects[-1]["status"]["initContainerStatuses"] = [done]
    assert found(snapshot(objects)) == []


def test_memory_at_the_limit_names_the_limit_and_a_larger_one() -> None:
    limited = container(resources={"limits": {"memory": "128Mi"}})
    finding = only(snapshot(app("api", limited, status=[looping(137, "OOMKilled")])), FaultKind.OOM_KILLED)
    assert finding.field == "spec.template.spec.containers[0].resources.limits.memory"
    assert (finding.observed, finding.expected, finding.directness) == ("128Mi", "256Mi", "stated")


def test_the_second_container_of_a_pod_is_named_by_its_place_in_the_manifest() -> None:
    side, main = container("side"), container("app", resources={"limits": {"memory": "1.5Gi"}})
    objects = app("api", side, main, status=[running("side"), looping(137, "OOMKilled")])
    finding = only(snapshot(objects), FaultKind.OOM_KILLED)
    assert (finding.field, finding.expected) == ("spec.template.spec.containers[1].resources.limits.memory", "3Gi")


def test_a_heap_that_is_full_is_a_matter_of_memory_too() -> None:
    line = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"
    assert (FaultKind.OOM_KILLED, "Deployment/shop/api") in found(crashing(line, code=134))


def test_a_container_killed_for_memory_that_has_run_well_since_is_no_fault() -> None:
    status = running(restarts=1, up=45, ended=ended(137, "OOMKilled", minutes=45, ran=600))
    assert found(snapshot(app("api", status=[status]))) == []


def regularly_killed(limit: str, before: str):
    status = running(restarts=60, up=45, ended=ended(137, "OOMKilled", minutes=45, ran=150))
    made = deployment("api", container(resources={"limits": {"memory": limit}}))
    earlier = deployment("api", container(resources={"limits": {"memory": before}}))
    owner = replica_set(made, revision=2)
    return snapshot(made, replica_set(earlier, revision=1, replicas=0), owner, pod(owner, status))


def test_a_container_that_dies_regularly_is_at_fault_between_two_deaths() -> None:
    finding = only(regularly_killed("128Mi", "512Mi"), FaultKind.OOM_KILLED)
    assert finding.observed == "128Mi"


def test_a_container_that_dies_after_long_runs_at_its_old_limit_leaks() -> None:
    assert found(regularly_killed("512Mi", "512Mi")) == [(FaultKind.MEMORY_LEAK, "Deployment/shop/api")]


def test_the_previous_revisions_value_is_proposed_where_nothing_else_is_known() -> None:
    made = deployment("api", container(image="registry.example/api:2.0"))
    earlier = deployment("api", container(image="registry.example/api:1.9"))
    owner = replica_set(made, revision=2)
    broken = pod(owner, waiting("ErrImagePull", "manifest unknown"))
    finding = only(snapshot(made, replica_set(earlier, revision=1), owner, broken), FaultKind.IMAGE_NOT_FOUND)
    assert finding.expected == "registry.example/api:1.9"


def test_a_killed_container_without_the_memory_reason_is_no_matter_of_memory() -> None:
    assert FaultKind.OOM_KILLED not in [kind for kind, _ in found(snapshot(app("api", status=[looping(137)])))]


def test_two_containers_that_want_one_port_are_in_conflict() -> None:
    one, other = container("app", ports=[{"containerPort": 80}]), container("proxy", ports=[{"containerPort": 80}])
    objects = app("api", one, other, status=[running(), looping(1, name="proxy")])
    line = "nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)"
    finding = only(snapshot(objects, logs=[log(objects[-1], line, name="proxy")]), FaultKind.PORT_CONFLICT)
    assert (finding.observed, finding.container) == ("80", "proxy")


def test_a_rejected_value_is_named_where_it_stands() -> None:
    objects = app("api", container(envFrom=[{"configMapRef": {"name": "conf"}}]), status=[looping(1)])
    line = 'invalid log level "verbos": must be one of debug, info, warn'
    finding = only(
        snapshot(objects, config_map("conf", LOG_LEVEL="verbos"), logs=[log(objects[-1], line)]),
        FaultKind.INVALID_CONFIG,
    )
    assert (str(finding.object), finding.field, finding.observed) == ("ConfigMap/shop/conf", "data.LOG_LEVEL", "verbos")


def test_an_image_that_must_not_run_as_root_is_a_matter_of_configuration() -> None:
    said = 'container has runAsNonRoot and image will run as root (pod: "api", container: app)'
    broken = container(securityContext={"runAsNonRoot": True})
    finding = only(
        snapshot(app("api", broken, status=[waiting("CreateContainerConfigError", said)])), FaultKind.INVALID_CONFIG
    )
    assert finding.field.endswith("securityContext.runAsNonRoot")
