"""Programs that fail since their rollout without printing a stack trace; and rollouts that are innocent."""

import pytest

from sre_bot.domain.cluster import ClusterSnapshot, Series
from sre_bot.domain.finding import FaultKind
from tests.clusters import Object, ago, app, container, deployment, env, found, log, pod, replica_set, service, snapshot
from tests.diagnoses import best_of, diagnose
from tests.histories import history, manifest
from tests.measured import flat, gauge, step

CODE = (FaultKind.CODE_REGRESSION, "Deployment/shop/tax")
OWN = 'level=error msg="no bracket applies" net=-12 country=AT'
TOLD = "ERROR GET http://tax:80/v1/net: unexpected status 500"


def rolled(
    before: str = "registry.example/tax:2.0", after: str = "registry.example/tax:2.1", age: float = 40
) -> list[Object]:
    """A Deployment whose image changed with its last revision."""
    was, made = (deployment("tax", container(image=image)) for image in (before, after))
    new = replica_set(made, revision=2, age=age)
    return [made, replica_set(was, replicas=0), new, pod(new, age=age), service("tax")]


TILL = app("till", container(env=env(TAX_URL="http://tax:80")))


def said(things: list[Object], own: str = OWN, told: str = TOLD, times: int = 6) -> ClusterSnapshot:
    """The program logs its errors, and the till what it was answered."""
    lines = [[f"{ago(2 * n + 1)} {line}" for n in reversed(range(times))] if line else [] for line in (own, told)]
    return snapshot(things, TILL, logs=[log(things[3], *lines[0]), log(TILL[-1], *lines[1])])


def test_errors_of_its_own_that_callers_are_told_of_since_the_rollout_are_a_regression() -> None:
    assert CODE in found(said(rolled()))


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ("", TOLD),
        (OWN, ""),
        (OWN.replace("error", "warn"), TOLD),
        (OWN, "ERROR GET http://tax:80/v1/net: unexpected status 404"),
        (OWN, "ERROR GET http://tax:80/v1/net took 500 ms"),
        ('level=error msg="brackets cannot be had" err="dial tcp 10.1.1.9:5432: connect: connection refused"', TOLD),
        ('level=error msg="brackets cannot be had" err="password authentication failed"', TOLD),
    ],
)
def test_calm_programs_unheard_errors_client_errors_and_the_errors_of_others_are_none(own: str, told: str) -> None:
    assert CODE not in found(said(rolled(), own, told))


def test_a_program_that_was_not_rolled_out_lately_has_not_regressed() -> None:
    assert CODE not in found(said(rolled(age=9_000)))
    assert CODE not in found(said(rolled(after="registry.example/tax:2.0")))


def metrics(*series: Series, things: list[Object] | None = None) -> list[tuple[FaultKind, str]]:
    """What the series tell of the rolled out program and its caller."""
    cluster = snapshot(things or rolled(), TILL)
    return found(cluster.model_copy(update={"metrics": series}))


def errors(name: str, *, ago: int = 38, before: float = 0.01, after: float = 4.0) -> Series:
    return gauge("http_requests_errors", step(before, after, ago), app=name)


def test_a_rate_of_errors_that_rises_with_the_rollout_is_a_regression() -> None:
    assert CODE in metrics(errors("tax"), errors("till"))
    assert CODE not in metrics(errors("tax", ago=90), errors("till", ago=90))
    assert CODE not in metrics(errors("tax", after=0.0101))


def test_a_program_that_got_slow_with_its_rollout_does_not_wait_for_its_network() -> None:
    slow = gauge("http_request_latency_p95", step(0.05, 0.9, 38), app="tax")
    late = gauge("http_request_latency_p95", step(0.05, 0.9, 12), app="tax")
    quiet = gauge("http_request_latency_p95", flat(0.05), app="till")
    assert FaultKind.NETWORK_DELAY not in [kind for kind, _ in metrics(slow, quiet)]
    assert (FaultKind.NETWORK_DELAY, "Deployment/shop/tax") in metrics(late, quiet, things=rolled(age=400))


def test_the_commit_that_touched_the_programs_own_folder_is_guilty() -> None:
    things = rolled()
    was = deployment("tax", container(image="registry.example/tax:2.0"))
    code = "def bracket(net):\n    if net < 0:\n        return 0\n    return 1\n"
    broken = "def bracket(net):\n    return 1\n"
    path = "deploy/tax.yaml"
    source = history(
        {path: manifest(was), "src/tax/brackets.py": code},
        ("fewer cases", 42, {path: manifest(things[0]), "src/tax/brackets.py": broken}),
        ("words", 41, {"src/mails/words.py": "a = 1\n"}),
    )
    best = best_of(diagnose(said(things), source))
    assert (best.kind, best.culprit and best.culprit.subject) == (FaultKind.CODE_REGRESSION, "fewer cases")
