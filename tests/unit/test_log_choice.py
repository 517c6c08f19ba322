"""Which logs are read first when not all can be."""

from typing import Any

from sre_bot.tools.log_choice import LogWish, choose

RUNNING: dict[str, Any] = {"running": {"startedAt": "2026-02-03T09:00:00Z"}}
CRASHED: dict[str, Any] = {"terminated": {"exitCode": 1, "finishedAt": "2026-02-03T09:00:00Z"}}
PULLING: dict[str, Any] = {"waiting": {"reason": "ImagePullBackOff"}}


def container(name: str = "app", *, state: dict[str, Any] = RUNNING, ready: bool = True, **more: Any) -> dict[str, Any]:
    return {"name": name, "state": state, "ready": ready, "restartCount": 0, **more}


def pod(
    name: str, owner: str = "", *statuses: dict[str, Any], inits: tuple[dict[str, Any], ...] = ()
) -> dict[str, Any]:
    owners = [{"kind": "ReplicaSet", "name": owner, "controller": True}] if owner else []
    metadata = {"name": name, "namespace": "shop", "ownerReferences": owners}
    status = {"containerStatuses": list(statuses or [container()]), "initContainerStatuses": list(inits)}
    return {"kind": "Pod", "metadata": metadata, "status": status}


def crashing(name: str, owner: str = "") -> dict[str, Any]:
    back_off = {"waiting": {"reason": "CrashLoopBackOff"}}
    return pod(name, owner, container(state=back_off, ready=False, restartCount=4, lastState=CRASHED))


def chosen(*pods: dict[str, Any], most: int = 200) -> list[tuple[str, bool]]:
    return [(wish.pod, wish.previous) for wish in choose(pods, most)]


def test_the_run_that_crashed_comes_before_everything_else() -> None:
    unready = pod("b-unready", "", container(ready=False))

    assert chosen(pod("a-healthy"), unready, crashing("c-crashing")) == [
        ("c-crashing", True),
        ("b-unready", False),
        ("c-crashing", False),
        ("a-healthy", False),
    ]


def test_every_workload_gets_a_sample_before_any_gets_a_second() -> None:
    replicas = [pod(f"a-{n}", "a") for n in range(3)]

    assert chosen(*replicas, pod("b-0", "b"), pod("c-0", "c")) == [
        ("a-0", False),
        ("b-0", False),
        ("c-0", False),
        ("a-1", False),
        ("a-2", False),
    ]


def test_a_hundred_healthy_replicas_do_not_hide_a_troubled_one() -> None:
    replicas = [pod(f"a-{n:03}", "a") for n in range(100)]
    troubled = pod("a-999", "a", container(ready=False))

    assert chosen(*replicas, troubled, most=1) == [("a-999", False)]


def test_no_more_logs_than_allowed_are_chosen() -> None:
    assert len(choose(tuple(pod(f"p-{n}") for n in range(500)), 200)) == 200


def test_a_container_that_never_ran_has_no_log() -> None:
    assert chosen(pod("a", "", container(state=PULLING, ready=False))) == []


def test_all_containers_of_a_pod_are_read_the_failing_init_before_the_healthy_sidecar() -> None:
    init = container("migrate", state=CRASHED, ready=False)
    wishes = choose((pod("a", "", container("proxy"), inits=(init,)),))

    assert wishes == (LogWish("shop", "a", "migrate"), LogWish("shop", "a", "proxy"))


def test_the_order_of_the_pods_does_not_matter() -> None:
    pods = [crashing("c", "x"), pod("a", "y"), pod("b", "y"), pod("d", "", container(ready=False))]

    assert choose(tuple(pods)) == choose(tuple(reversed(pods)))


def test_those_who_call_a_workload_in_trouble_come_before_the_rest() -> None:
    troubled = crashing("z-store-0", "store")
    troubled["metadata"]["labels"] = {"app": "store"}
    caller = pod("m-caller-0", "caller")
    caller["spec"] = {"containers": [{"name": "app", "env": [{"name": "STORE_URL", "value": "http://store.shop:80"}]}]}
    wishes = chosen(pod("a-stranger-0", "stranger"), caller, troubled)

    assert [name for name, previous in wishes if not previous] == ["z-store-0", "m-caller-0", "a-stranger-0"]


def test_those_whom_a_workload_in_trouble_calls_come_before_the_rest() -> None:
    troubled = crashing("z-web-0", "web")
    troubled["spec"] = {"containers": [{"name": "app", "args": ["--cache=sessions:6379"]}]}
    called = pod("m-sessions-0", "sessions")
    called["metadata"]["labels"] = {"app.kubernetes.io/name": "sessions"}
    wishes = chosen(pod("a-stranger-0", "stranger"), called, troubled)

    assert [name for name, previous in wishes if not previous] == ["z-web-0", "m-sessions-0", "a-stranger-0"]


def test_a_pod_of_the_wrong_shape_stops_nothing() -> None:
    strange = pod("strange", "", {"name": "app", "state": "running", "lastState": [], "restartCount": "many"})
    strange["spec"] = {"containers": [{"env": [None], "args": [1]}, "nonsense"]}
    strange["metadata"]["ownerReferences"] = "nobody"

    assert chosen(strange, pod("a")) == [("a", False)]
