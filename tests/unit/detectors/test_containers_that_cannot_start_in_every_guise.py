from typing import Any

import pytest

from tests.clusters import (
    Object,
    app,
    container,
    deployment,
    ended,
    event,
    log,
    looping,
    node,
    pod,
    replica_set,
    running,
    waiting,
)
from tests.variants import answer, named, pods_of

API = "Deployment/shop/api"
RUNC = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
    "unable to start container process: "
)
CANNOT = [
    f'{RUNC}error during container init: exec: "serverd": executable file not found in $PATH: unknown',
    f'{RUNC}exec: "/app/serverd": stat /app/serverd: no such file or directory: unknown',
    f'{RUNC}error during container init: exec: "/app/serverd": permission denied: unknown',
    f'{RUNC}error during container init: exec: "/app": is a directory: unknown',
    (
        'container create failed: time="2026-03-10T11:00:00Z" level=error msg="runc create failed: unable to start '
        "container "
        'process: exec: \\"serverd\\": executable file not found in $PATH"'
    ),
    "container create failed: executable file `serverd` not found in $PATH: No such file or directory",
    'failed to start container "app": Error response from daemon: failed to create shim: OCI runtime create failed: '
    'container_linux.go:380: starting container process caused: exec: "serverd": executable file not found in $PATH: '
    "unknown",
    (
        f'{RUNC}error during container init: chdir to cwd ("/srv/app") set in config.json failed: no such file or '
        f"directory"
    ),
    'failed to generate container "x" spec: failed to generate spec: no command specified',
]
COMMAND = container(command=["serverd", "--port=80"])
FLAGS = [
    ("unknown flag: --verbos", ["--verbos"]),
    ("flag provided but not defined: -verbos", ["-verbos=2"]),
    ("serve: error: unrecognized arguments: --verbos", ["--verbos"]),
    ("error: unknown option '--verbos'", ["--verbos"]),
    ('nginx: invalid option: "verbos"', ["-verbos"]),
    ("error: unexpected argument '--verbos' found", ["--verbos"]),
    ("Unrecognized option: --verbos", ["--verbos"]),
    ('Error: unknown command "verbos" for "app"', ["verbos"]),
    ("Error: No such option: --verbos", ["--verbos"]),
    ("node: bad option: --verbos", ["--verbos"]),
    ("unrecognized option '--verbos'", ["--verbos"]),
    ("Unrecognized VM option 'verbos'", ["-XX:+verbos"]),
    ("error: Found argument '--verbos' which wasn't expected, or isn't valid in this context", ["--verbos"]),
    ('Error parsing commandline arguments: unknown long flag "--verbos"', ["--verbos"]),
]
FILES = [
    ("python: can't open file '/srv/man.py': [Errno 2] No such file or directory", ["python", "/srv/man.py"]),
    ("Error: Cannot find module '/srv/man.js'", ["node", "/srv/man.js"]),
    ("Error: Unable to access jarfile /srv/man.jar", ["java", "-jar", "/srv/man.jar"]),
    ("Error: Could not find or load main class shop.Man", ["java", "shop.Man"]),
    ("/usr/bin/python: No module named shop.man", ["python", "-m", "shop.man"]),
    ("sh: can't open '/srv/man.sh': No such file or directory", ["sh", "/srv/man.sh"]),
    ("bash: /srv/man.sh: No such file or directory", ["bash", "/srv/man.sh"]),
    ("Could not open input file: /srv/man.php", ["php", "/srv/man.php"]),
    ("ruby: No such file or directory -- /srv/man.rb (LoadError)", ["ruby", "/srv/man.rb"]),
    ("ModuleNotFoundError: No module named 'shop.man'", ["gunicorn", "shop.man:app"]),
    ("Error: Failed to find attribute 'man' in 'shop'.", ["gunicorn", "shop:man"]),
    ("The application to execute does not exist: '/srv/Man.dll'.", ["dotnet", "/srv/Man.dll"]),
    ('Error loading ASGI app. Could not import module "shop.man".', ["uvicorn", "shop.man:app"]),
    ('npm error Missing script: "strat"', ["npm", "run", "strat"]),
    ('error: script "strat" not found', ["bun", "run", "strat"]),
]


@pytest.mark.parametrize("said", CANNOT)
@pytest.mark.parametrize("shown", ["waiting", "terminated", "event"])
def test_a_program_that_is_not_there_is_an_invalid_command_however_it_shows(said: str, shown: str) -> None:
    states = {
        "waiting": waiting("CreateContainerError" if "create failed: e" in said else "RunContainerError", said),
        "terminated": looping(128, "StartError", message=said),
        "event": waiting("CrashLoopBackOff", "back-off 5m0s restarting failed container", restarts=5),
    }
    objects = pods_of("Deployment", COMMAND, statuses=[states[shown]])
    told = [event(objects[-1], "Failed", f"Error: {said}", part="app")] if shown == "event" else []
    assert named(objects, node(), events=told) == ("invalid_command", API)


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet", "Pod"])
def test_whoever_owns_the_pod_its_command_is_judged(kind: str) -> None:
    objects = pods_of(kind, COMMAND, statuses=[waiting("RunContainerError", CANNOT[0])], made={"phase": "Pending"})
    said = answer(objects, node())
    assert (said.kind, said.object) == ("invalid_command", f"{objects[0]['kind']}/shop/api")


@pytest.mark.parametrize(("line", "args"), FLAGS)
def test_a_word_that_the_program_does_not_know_is_named_in_the_arguments(line: str, args: list[str]) -> None:
    objects = pods_of("Deployment", container(args=["serve", *args]), statuses=[looping(2)])
    said = answer(objects, node(), logs=[log(objects[-1], "starting", line)])
    assert (said.kind, said.field) == ("invalid_command", "spec.template.spec.containers[0].args[1]")


@pytest.mark.parametrize(("line", "command"), FILES)
def test_a_file_that_the_interpreter_does_not_find_is_named_in_the_command(line: str, command: list[str]) -> None:
    objects = pods_of("Deployment", container(command=command), statuses=[looping(1)])
    said = answer(objects, node(), logs=[log(objects[-1], line)])
    assert (said.kind, said.field) == (
        "invalid_command",
        f"spec.template.spec.containers[0].command[{len(command) - 1}]",
    )


@pytest.mark.parametrize(
    ("code", "line"),
    [
        (127, "/bin/sh: 1: serverd: not found"),
        (127, "sh: serverd: command not found"),
        (126, "/bin/sh: /app/run.sh: Permission denied"),
        (127, "exec: line 2: serverd: not found"),
        (127, "env: 'serverd': No such file or directory"),
        (126, "bash: /app: Is a directory"),
        (2, "sh: syntax error: unterminated quoted string"),
        (2, "sh: -c: line 1: unexpected EOF while looking for matching `\"'"),
    ],
)
def test_what_a_shell_cannot_run_is_an_invalid_command(code: int, line: str) -> None:
    objects = pods_of("Deployment", container(command=["sh", "-c", 'serverd "x']), statuses=[looping(code)])
    assert named(objects, node(), logs=[log(objects[-1], line)]) == ("invalid_command", API)


@pytest.mark.parametrize("code", [0, 127])
def test_without_a_log_the_exit_code_is_enough(code: int) -> None:
    objects = pods_of(
        "Deployment",
        container(command=["sh", "-c", "true"]),
        statuses=[looping(code, "Completed" if not code else "Error")],
    )
    assert named(objects, node()) == ("invalid_command", API)


def test_a_changed_command_is_its_commits_though_the_old_pods_serve() -> None:
    older, newer = deployment("api", container(command=["server"])), deployment("api", COMMAND)
    former, latest = replica_set(older, revision=1), replica_set(newer, revision=2, age=30)
    broken = pod(latest, waiting("RunContainerError", CANNOT[0]), name="api-rev2-x")
    said = answer(newer, former, latest, pod(former, name="api-rev1-x"), broken, node(), before=[older])
    assert (said.kind, said.object, said.verdict, said.culprit) == ("invalid_command", API, "fix", "change something")


def init(status: Object, *, kind: str = "Deployment", name: str = "migrate", **spec: Any) -> list[Object]:
    first = container(name, **spec)
    made = {"init": [status], "phase": "Pending", "ready": False}
    return pods_of(kind, initContainers=[first], statuses=[waiting("PodInitializing")], made=made)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod"])
@pytest.mark.parametrize("code", [1, 2, 3, 139])
def test_an_init_container_that_fails_for_its_own_reason_is_named(kind: str, code: int) -> None:
    objects = init(looping(code, name="migrate"), kind=kind)
    logs = [log(objects[-1], "migration 0042 failed: relation already exists", name="migrate")]
    said = answer(objects, node(), logs=logs)
    assert (said.kind, said.object) == ("init_container_failed", f"{objects[0]['kind']}/shop/api")


def test_an_init_container_between_two_runs_is_named_too() -> None:
    stopped = {"name": "migrate", "ready": False, "restartCount": 4, "state": {"terminated": ended(1)}, "lastState": {}}
    assert named(init(stopped), node()) == ("init_container_failed", API)
    again = running("migrate", restarts=4, up=0.1, ready=False, ended=ended(1))
    assert named(init(again), node()) == ("init_container_failed", API)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (waiting("ImagePullBackOff", "manifest unknown", "migrate"), "image_not_found"),
        (waiting("CreateContainerConfigError", 'secret "db" not found', "migrate"), "missing_secret"),
        (waiting("RunContainerError", CANNOT[0], "migrate"), "invalid_command"),
        (looping(137, "OOMKilled", "migrate"), "oom_killed"),
    ],
)
def test_an_init_container_that_fails_for_a_narrower_reason_is_of_that_kind(status: Object, expected: str) -> None:
    secret: dict[str, Any] = {"envFrom": [{"secretRef": {"name": "db"}}]}
    wanted: dict[str, Any] = secret if expected == "missing_secret" else {"command": ["serverd"]}
    objects = init(status, **wanted)
    assert named(objects, node()) == (expected, API)


def test_an_init_container_that_misses_a_variable_is_a_matter_of_the_variable() -> None:
    objects = init(looping(1, name="migrate"), command=["migrate"])
    logs = [log(objects[-1], "Error: environment variable DATABASE_URL is not set", name="migrate")]
    assert named(objects, node(), logs=logs) == ("missing_env", API)


@pytest.mark.parametrize(
    "message",
    ['exec: "/hooks/warm": stat /hooks/warm: no such file or directory', "command '/hooks/warm' exited with 1: "],
)
def test_a_start_hook_that_fails_is_an_invalid_command(message: str) -> None:
    hooked = container(lifecycle={"postStart": {"exec": {"command": ["/hooks/warm"]}}})
    objects = pods_of(
        "Deployment",
        hooked,
        statuses=[waiting("PostStartHookError", f"Exec lifecycle hook ([/hooks/warm]) failed - error: {message}")],
    )
    assert named(objects, node())[0] == "invalid_command"


def test_a_start_hook_is_told_by_its_event_once_the_state_is_a_crash_loop() -> None:
    hooked = container(lifecycle={"postStart": {"exec": {"command": ["/hooks/warm"]}}})
    objects = pods_of("Deployment", hooked, statuses=[looping(137)])
    told = event(objects[-1], "FailedPostStartHook", "PostStartHook failed", part="app")
    assert named(objects, node(), events=[told])[0] == "invalid_command"


def test_a_program_that_ends_with_an_error_of_its_own_is_no_invalid_command() -> None:
    objects = app("api", container(command=["server"]), status=[looping(1)])
    line = "ERROR cannot reach the ledger: dial tcp 10.9.9.9:5432: i/o timeout"
    assert named(objects, node(), logs=[log(objects[-1], line)])[0] != "invalid_command"
