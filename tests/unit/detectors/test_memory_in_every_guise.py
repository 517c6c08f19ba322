import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.clusters import (
    Object,
    container,
    deployment,
    ended,
    event,
    found,
    log,
    looping,
    node,
    pod,
    replica_set,
    running,
    snapshot,
    waiting,
)
from tests.variants import answer, named, pods_of

API = "Deployment/shop/api"
LIMITED = container(resources={"limits": {"memory": "128Mi"}})
RUNTIMES = [
    "java.lang.OutOfMemoryError: Java heap space",
    "Exception in thread main java.lang.OutOfMemoryError: Metaspace",
    "java.lang.OutOfMemoryError: GC overhead limit exceeded",
    "Terminating due to java.lang.OutOfMemoryError: Java heap space",
    "FATAL ERROR: Ineffective mark-compacts near heap limit Allocation failed - JavaScript heap out of memory",
    "fatal error: runtime: out of memory",
    "fatal error: runtime: cannot allocate memory",
    "MemoryError: Unable to allocate 2.00 GiB for an array",
    "Unhandled exception. System.OutOfMemoryException: Insufficient memory to continue the execution of the program.",
    "[FATAL] failed to allocate memory (NoMemoryError)",
    "memory allocation of 268435456 bytes failed",
    "terminate called after throwing an instance of 'std::bad_alloc'",
    (
        "OpenJDK 64-Bit Server VM warning: INFO: os::commit_memory(0x7f, 262144, 0) failed; error='Not enough space' "
        "(errno=12)"
    ),
    "There is insufficient memory for the Java Runtime Environment to continue.",
]
LOST_CHILDREN = [
    "/app/start.sh: line 9:     8 Killed                  /app/index --all",
    "Killed",
    "[2026-03-10 11:59:00 +0000] [1] [ERROR] Worker (pid:9) was sent SIGKILL! Perhaps out of memory?",
    "DAMN ! worker 1 (pid: 9) died, killed by signal 9 :( trying respawn ...",
    "WARNING: [pool www] child 9 exited on signal 9 (SIGKILL) after 12.3 seconds from start",
    "2026/03/10 11:59:00 [alert] 1#1: worker process 9 exited on signal 9",
    "LOG:  server process (PID 9) was terminated by signal 9: Killed",
    "billiard.exceptions.WorkerLostError: Worker exited prematurely: signal 9 (SIGKILL) Job: 4.",
    "ERROR child failed: signal: killed",
    "INFO exited: indexer (terminated by SIGKILL; not expected)",
]


@pytest.mark.parametrize(
    "kind", ["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet", "Pod", "Rollout"]
)
@pytest.mark.parametrize("shown", ["waiting", "terminated", "running"])
def test_a_kill_for_memory_is_its_workloads_in_whichever_state_it_is_met(kind: str, shown: str) -> None:
    stopped = {
        "name": "app",
        "ready": False,
        "restartCount": 4,
        "state": {"terminated": ended(137, "OOMKilled")},
        "lastState": {},
    }
    states = {
        "waiting": looping(137, "OOMKilled"),
        "terminated": stopped,
        "running": running(restarts=4, up=1, ended=ended(137, "OOMKilled", minutes=1)),
    }
    objects = pods_of(kind, LIMITED, statuses=[states[shown]])
    said = answer(objects, node())
    assert (said.kind, said.object, said.observed, said.verdict) == (
        "oom_killed",
        f"{objects[0]['kind']}/shop/api",
        "128Mi",
        "fix",
    )


@pytest.mark.parametrize("line", RUNTIMES)
@pytest.mark.parametrize("code", [1, 134, 137])
def test_a_runtime_that_gives_up_for_want_of_memory_is_the_same_fault(line: str, code: int) -> None:
    objects = pods_of("Deployment", LIMITED, statuses=[looping(code)])
    assert named(objects, node(), logs=[log(objects[-1], "starting", line)]) == ("oom_killed", API)


@pytest.mark.parametrize("line", LOST_CHILDREN)
@pytest.mark.parametrize("alive", [True, False])
def test_a_child_that_the_kernel_took_is_a_matter_of_memory_though_the_first_process_is_well(
    line: str, *, alive: bool
) -> None:
    status = running() if alive else looping(137)
    objects = pods_of("Deployment", LIMITED, statuses=[status])
    stamped = [f"2026-03-10T11:5{n}:00Z INFO indexing" for n in range(4, 9)]
    said = answer(objects, node(), logs=[log(objects[-1], *stamped, line)])
    assert (said.kind, said.object, said.observed) == ("oom_killed", API, "128Mi")


@pytest.mark.parametrize("line", ["[1] [CRITICAL] WORKER TIMEOUT (pid:9)", "HARAKIRI ON WORKER 1 (pid: 9, try: 1)"])
def test_a_worker_that_its_own_master_kills_for_being_late_is_no_matter_of_memory(line: str) -> None:
    objects = pods_of("Deployment", LIMITED, statuses=[running()])
    assert named(objects, node(), logs=[log(objects[-1], line, LOST_CHILDREN[2])])[0] != "oom_killed"


def test_kills_at_a_limit_that_nobody_else_explains_are_for_memory() -> None:
    objects = pods_of("Deployment", LIMITED, statuses=[looping(137)])
    assert named(objects, node()) == ("oom_killed", API)


def test_a_kill_by_a_probe_is_none_for_memory() -> None:
    probed = container(
        resources={"limits": {"memory": "128Mi"}},
        livenessProbe={"tcpSocket": {"port": 80}},
        ports=[{"containerPort": 80}],
    )
    objects = pods_of("Deployment", probed, statuses=[looping(137)])
    told = event(
        objects[-1], "Unhealthy", "Liveness probe failed: dial tcp 10.1.0.9:80: connect: connection refused", part="app"
    )
    assert named(objects, node(), events=[told])[0] == "liveness_probe_timing"


def test_a_container_too_small_to_be_started_is_a_matter_of_memory() -> None:
    words = "container init was OOM-killed (memory limit too low?)"
    objects = pods_of(
        "Deployment", LIMITED, statuses=[looping(128, "StartError", message=f"runc create failed: {words}: unknown")]
    )
    assert named(objects, node()) == ("oom_killed", API)
    told = event(objects[-1], "Failed", f"Error: failed to create containerd task: {words}", part="app")
    assert named(objects, node(), events=[told]) == ("oom_killed", API)


def test_a_sandbox_too_small_to_be_made_is_a_matter_of_memory() -> None:
    objects = pods_of(
        "Deployment", LIMITED, statuses=[waiting("ContainerCreating")], made={"phase": "Pending", "age": 20}
    )
    said = (
        "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to start sandbox container: "
        "container init was OOM-killed (memory limit too low?): unknown"
    )
    assert named(objects, node(), events=[event(objects[-1], "FailedCreatePodSandBox", said)]) == ("oom_killed", API)


def test_the_limit_that_a_commit_lowered_is_its_own_though_the_old_pods_serve() -> None:
    older, newer = deployment("api", container(resources={"limits": {"memory": "1Gi"}})), deployment("api", LIMITED)
    former, latest = replica_set(older, revision=1), replica_set(newer, revision=2, age=60)
    dying = pod(latest, looping(137, "OOMKilled"), name="api-rev2-x", age=60)
    said = answer(newer, former, latest, pod(former, name="api-rev1-x"), dying, node(), before=[older])
    assert (said.kind, said.object, said.verdict, said.culprit) == ("oom_killed", API, "fix", "change something")


def dying(ran: float, *, up: float = 30, restarts: int = 9, limit: str = "512Mi") -> list[Object]:
    limited = container(resources={"limits": {"memory": limit}})
    status = running(restarts=restarts, up=up, ended=ended(137, "OOMKilled", minutes=up, ran=ran))
    made = deployment("api", limited)
    owner = replica_set(made)
    return [made, owner, pod(owner, status, age=ran * restarts + 60)]


@pytest.mark.parametrize("hours", [2, 5, 11])
def test_deaths_after_long_runs_at_an_old_limit_are_a_leak(hours: int) -> None:
    assert named(dying(hours * 60), node()) == ("memory_leak", API)


@pytest.mark.parametrize("minutes", [0.2, 2, 12])
def test_deaths_soon_after_the_start_are_no_leak(minutes: float) -> None:
    assert named(dying(minutes, up=1), node()) == ("oom_killed", API)


def test_a_neighbours_death_is_not_the_containers_own() -> None:
    side = container("side", resources={"limits": {"memory": "32Mi"}})
    objects = pods_of("Deployment", LIMITED, side, statuses=[running(), looping(137, "OOMKilled", "side")])
    said = answer(objects, node())
    assert (said.field, said.observed) == ("spec.template.spec.containers[1].resources.limits.memory", "32Mi")


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 125), st.sampled_from(["Error", "Completed", "ContainerStatusUnknown"]), st.integers(0, 40))
def test_no_other_end_of_a_silent_container_is_a_matter_of_memory(code: int, reason: str, restarts: int) -> None:
    objects = pods_of("Deployment", LIMITED, statuses=[looping(code, reason, restarts=restarts)])
    assert not {"oom_killed", "memory_leak"} & {kind.value for kind, _ in found(snapshot(objects, node()))}
