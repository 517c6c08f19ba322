"""Of two commits, one on each side of a comparison, the later one is guilty: until then both sides were right."""

from typing import Any

from tests.clusters import (
    Object,
    ago,
    config_map,
    container,
    deployment,
    env,
    key_ref,
    log,
    node,
    pod,
    replica_set,
    running,
    service,
    snapshot,
    waiting,
)
from tests.diagnoses import diagnose
from tests.histories import history, manifest

GUILTY = "the guilty one"


def released(*containers: Object, **spec: Any) -> Object:
    return deployment("api", *containers, **spec)


def restarted(made: Object, *statuses: Object) -> list[Object]:
    owner = replica_set(made, revision=2, age=60)
    return [made, owner, pod(owner, *statuses, age=60)]


def test_who_asked_for_a_key_while_it_existed_is_innocent_of_its_renaming() -> None:
    made = released(container(env=[key_ref("MODE", "ConfigMap", "conf", "mode")]))
    said = waiting("CreateContainerConfigError", "couldn't find key mode in ConfigMap shop/conf")
    repository = history(
        {"deploy/api.yaml": manifest(released()), "deploy/conf.yaml": manifest(config_map("conf", mode="a"))},
        ("read the mode", 5_000, {"deploy/api.yaml": manifest(made)}),
        (GUILTY, 62, {"deploy/conf.yaml": manifest(config_map("conf", modus="a"))}),
    )
    best = diagnose(snapshot(restarted(made, said), config_map("conf", modus="a"), node()), repository).best
    assert best is not None and best.culprit is not None and best.culprit.subject == GUILTY


def listening(port: int) -> Object:
    return released(container(ports=[{"containerPort": port}]))


def aimed(port: int) -> Object:
    return service("api", {"port": 80, "targetPort": port, "protocol": "TCP"})


def meeting(*steps: tuple[str, float, dict[str, str]]) -> str:
    made = listening(9090)
    caller = deployment("web", container(env=env(API_URL="http://api")))
    owner = replica_set(caller)
    child = pod(owner, name="web-x")
    pods = restarted(made, running(up=60))
    said = log(
        child, *[f"{ago(minute)} Get http://api: dial tcp 10.96.0.9:80: connection refused" for minute in (9, 5, 2)]
    )
    cluster = snapshot(
        pods, aimed(8080), caller, owner, child, node(), logs=[said, log(pods[-1], "listening on :9090")]
    )
    first = {"deploy/api.yaml": manifest(listening(8080)), "deploy/service.yaml": manifest(aimed(8000))}
    best = diagnose(cluster, history(first, *steps)).best
    assert best is not None and best.kind.value == "service_port_mismatch"
    return best.culprit.subject if best.culprit else "none"


def test_who_aimed_a_service_at_the_port_of_that_time_is_innocent_of_the_move_to_another() -> None:
    assert (
        meeting(
            ("aim at the program", 5_000, {"deploy/service.yaml": manifest(aimed(8080))}),
            (GUILTY, 62, {"deploy/api.yaml": manifest(listening(9090))}),
        )
        == GUILTY
    )


def test_who_aims_a_service_at_the_port_of_yesterday_is_guilty() -> None:
    assert (
        meeting(
            ("another port", 5_000, {"deploy/api.yaml": manifest(listening(9090))}),
            (GUILTY, 62, {"deploy/service.yaml": manifest(aimed(8080))}),
        )
        == GUILTY
    )
