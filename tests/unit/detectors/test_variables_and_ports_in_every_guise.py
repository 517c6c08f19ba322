import pytest

from tests.clusters import (
    container,
    env,
    log,
    looping,
    node,
    running,
)
from tests.variants import answer, family, named, pods_of

API = "Deployment/shop/api"


UNSET = [
    "Error: QUEUE_URL is not defined",
    "KeyError: 'QUEUE_URL'",
    "os.environ['QUEUE_URL'] KeyError: 'QUEUE_URL'",
    "panic: QUEUE_URL environment variable not set",
    "envconfig: required key QUEUE_URL missing value",
    'env: required environment variable "QUEUE_URL" is not set',
    "thread 'main' panicked at src/main.rs:7:46: QUEUE_URL not set: NotPresent",
    'key not found: "QUEUE_URL" (KeyError)',
    'fetch\': key not found: "QUEUE_URL" (KeyError)',
    "java.lang.IllegalStateException: Required environment variable 'QUEUE_URL' is missing",
    "Could not resolve placeholder 'QUEUE_URL' in value \"${QUEUE_URL}\"",
    "System.InvalidOperationException: Environment variable 'QUEUE_URL' is required",
    "PHP Fatal error:  Uncaught RuntimeException: Missing env var QUEUE_URL in /srv/boot.php:12",
    "pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings\nQUEUE_URL\n  Field required",
    "decouple.UndefinedValueError: QUEUE_URL not found. Declare it as envvar or define a default value.",
    "django.core.exceptions.ImproperlyConfigured: Set the QUEUE_URL environment variable",
    "/docker-entrypoint.sh: line 12: QUEUE_URL: parameter null or not set",
    'Error: Config validation error: "QUEUE_URL" is required',
    "❌ Invalid environment variables: { QUEUE_URL: [ 'Required' ] }",
    '** (System.EnvError) could not fetch environment variable "QUEUE_URL" because it is not set',
    "missing required env QUEUE_URL",
    '{"level":"fatal","msg":"missing required configuration","variable":"QUEUE_URL"}',
]


@pytest.mark.parametrize("line", UNSET)
@pytest.mark.parametrize("owner", ["Deployment", "StatefulSet", "Job"])
def test_a_variable_that_is_not_set_is_named_in_every_languages_words(line: str, owner: str) -> None:
    objects = pods_of(owner, container(env=env(LOG_LEVEL="info")), statuses=[looping(1)])
    said = answer(objects, node(), logs=[log(objects[-1], "starting up", *line.split("\n"))])
    assert (said.kind, said.object, said.observed) == ("missing_env", f"{objects[0]['kind']}/shop/api", "QUEUE_URL")


def test_a_variable_that_a_commit_took_away_makes_that_commit_guilty() -> None:
    objects = pods_of("Deployment", container(env=env(LOG_LEVEL="info")), statuses=[looping(1)])
    before = family("Deployment", container(env=env(LOG_LEVEL="info", QUEUE_URL="amqp://mq")))[0]
    said = answer(objects, node(), logs=[log(objects[-1], UNSET[0])], before=[before])
    assert (said.kind, said.verdict, said.culprit) == ("missing_env", "fix", "change something")


IN_USE = [
    "listen tcp :8080: bind: address already in use",
    "Error: listen EADDRINUSE: address already in use :::8080",
    "OSError: [Errno 98] Address already in use: ('0.0.0.0', 8080)",
    "java.net.BindException: Address already in use: bind 0.0.0.0:8080",
    "nginx: [emerg] bind() to 0.0.0.0:8080 failed (98: Address already in use)",
    "(98)Address already in use: AH00072: make_sock: could not bind to address [::]:8080",
    "Web server failed to start. Port 8080 was already in use.",
    "System.IO.IOException: Failed to bind to address http://[::]:8080: address already in use.",
    'Address already in use - bind(2) for "0.0.0.0" port 8080 (Errno::EADDRINUSE)',
    "cannot bind '0.0.0.0:8080': Address already in use",
    "[ERROR] Connection in use: ('0.0.0.0', 8080)",
]


@pytest.mark.parametrize("line", IN_USE)
@pytest.mark.parametrize("beside", ["container", "sidecar"])
def test_a_port_that_two_programs_of_a_pod_want_is_a_conflict(line: str, beside: str) -> None:
    ports = [{"containerPort": 8080}]
    other = container("proxy", ports=ports)
    app = container(ports=ports)
    if beside == "container":
        objects = pods_of("Deployment", app, other, statuses=[looping(1), running("proxy")])
    else:
        first = [{**other, "restartPolicy": "Always"}]
        objects = pods_of(
            "Deployment", app, initContainers=first, statuses=[looping(1)], made={"init": [running("proxy")]}
        )
    said = answer(objects, node(), logs=[log(objects[-1], line)])
    assert (said.kind, said.object, said.observed) == ("port_conflict", API, "8080")


@pytest.mark.parametrize("line", IN_USE)
def test_a_port_that_a_pod_of_the_hosts_network_cannot_have_is_the_hosts(line: str) -> None:
    objects = pods_of("DaemonSet", container(ports=[{"containerPort": 8080}]), hostNetwork=True, statuses=[looping(1)])
    assert named(objects, node(), logs=[log(objects[-1], line)]) == ("host_port_conflict", "DaemonSet/shop/api")
