"""Nothing is wrong with any object, and a log complains: what was changed decides, or else a person."""

from typing import Any

import pytest

from sre_bot.domain.cluster import ClusterSnapshot
from sre_bot.domain.diagnosis import Diagnosis
from sre_bot.domain.finding import FaultKind
from sre_bot.domain.source import SourceHistory
from sre_bot.reasoning import judge
from sre_bot.reasoning.spoken_values import speaks_of
from tests.clusters import ago, app, config_map, container, deployment, env, log, snapshot
from tests.diagnoses import best_of, diagnose
from tests.histories import history, manifest

CALM = [f"2026-03-10T11:{n:02}:30Z INFO GET /tariffs/{n} 200" for n in range(30)]
READS: dict[str, Any] = {"envFrom": [{"configMapRef": {"name": "limits"}}]}


def stamped(line: str, times: int = 12, first: int = 30) -> list[str]:
    return [f"2026-03-10T11:{first + 2 * n:02}:00Z {line}" for n in range(times)]


def limited(line: str, *, minutes: float = 60, **live: str) -> tuple[ClusterSnapshot, SourceHistory]:
    """A program that reads a shared map, of which a commit cut a value so many minutes ago, and what it logs."""
    now, then = {"CALL_DEADLINE": "4", **live}, {"CALL_DEADLINE": "4000"}
    tariffs = app("tariffs", container(**READS))
    before = manifest(deployment("tariffs", container(**READS)), config_map("limits", **then))
    after = before.replace("CALL_DEADLINE: '4000'", "CALL_DEADLINE: '4'")
    assert before != after
    cluster = snapshot(tariffs, config_map("limits", **now), logs=[log(tariffs[-1], *CALM, *stamped(line))])
    return cluster, history({"deploy/all.yaml": before}, ("limits: in seconds", minutes, {"deploy/all.yaml": after}))


def first(diagnosis: Diagnosis) -> tuple[FaultKind, str, str]:
    best = best_of(diagnosis)
    return best.kind, str(best.object), diagnosis.verdict


def test_a_changed_value_that_the_warnings_name_since_is_the_cause_and_is_mended() -> None:
    diagnosis = diagnose(*limited("ERROR tariff lookup gave up: deadline of 4ms passed"))
    assert first(diagnosis) == (FaultKind.INVALID_CONFIG, "ConfigMap/shop/limits", "fix")
    assert best_of(diagnosis).suspects[0].subject == "limits: in seconds"


def test_a_value_that_was_changed_after_the_warnings_began_explains_nothing() -> None:
    diagnosis = diagnose(*limited("ERROR tariff lookup gave up: deadline of 4ms passed", minutes=5))
    assert diagnosis.verdict != "fix"


def test_warnings_about_something_else_do_not_accuse_the_change() -> None:
    assert diagnose(*limited("ERROR 4 tariffs have no price")).verdict != "fix"


def test_a_value_that_somebody_set_by_hand_and_that_the_warnings_name_is_drift() -> None:
    pages = app("pages", container(**READS))
    declared = {
        "deploy/all.yaml": manifest(deployment("pages", container(**READS)), config_map("limits", ROWS_MAX="50"))
    }
    lines = stamped("WARN list cut at 5 rows of 41")
    cluster = snapshot(pages, config_map("limits", ROWS_MAX="5"), logs=[log(pages[-1], *CALM, *lines)])
    assert first(diagnose(cluster, history(declared))) == (
        FaultKind.CONFIG_DRIFT,
        "ConfigMap/shop/limits",
        "needs_human",
    )
    beside = app("stamps", container())
    other = snapshot(pages, beside, config_map("limits", ROWS_MAX="5"), logs=[log(beside[-1], *CALM, *lines)])
    assert FaultKind.CONFIG_DRIFT not in [one.kind for one in diagnose(other, history(declared)).hypotheses]


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("timeout of 8ms exceeded", "HTTP_TIMEOUT", "8"),
        ("(read timeout=5)", "client.read-timeout", "5"),
        ("only 3 workers are left", "WORKER_COUNT", "3"),
        ("cannot reach queue at mq.shared-old", "QUEUE_URL", "amqp://mq.shared-old.svc.cluster.local:5672"),
        ("unknown region eu-north-7", "REGION", "eu-north-7"),
    ],
)
def test_a_line_speaks_of_a_value(line: str, key: str, value: str) -> None:
    assert speaks_of(line, key, value)


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("timeout of 80ms exceeded", "HTTP_TIMEOUT", "8"),
        ("order 8 failed", "HTTP_TIMEOUT", "8"),
        ("[warn] slow answer", "LOG_LEVEL", "warn"),
        ("version 1.8 timeout", "HTTP_TIMEOUT", "8"),
        ("unknown region eu-north-77", "REGION", "eu-north-7"),
    ],
)
def test_a_line_does_not_speak_of_a_value(line: str, key: str, value: str) -> None:
    assert not speaks_of(line, key, value)


def asked(complaint: str, *lines: str, namespace: str = "shop") -> Diagnosis:
    """What is answered to a ticket while one program of a calm cluster logs these lines."""
    tellers = app("tellers", container(env=env(MODE="fast")), namespace=namespace)
    home = manifest(deployment("vault"))
    cluster = snapshot(app("vault"), tellers, logs=[log(tellers[-1], *lines)])
    source = history({"deploy/all.yaml": home})
    return judge(cluster, source, fix_threshold=0.6, repairable=True, complaint=complaint).diagnosis


LOUD = stamped("ERROR note not accepted: fold in corner")


def test_a_loud_new_trouble_that_no_rule_knows_goes_to_a_person() -> None:
    diagnosis = asked("Coins are refused", *CALM, *LOUD)
    assert diagnosis.verdict == "needs_human"
    assert FaultKind.HEALTHY not in [one.kind for one in diagnosis.hypotheses]


@pytest.mark.parametrize(
    "lines",
    [
        [*CALM, *LOUD[:4]],
        [*CALM, *(line.replace("ERROR", "INFO") for line in LOUD)],
        [f"2026-03-10T10:{n:02}:00Z ERROR note not accepted: fold" for n in range(10, 40)] + CALM,
        [*(f"2026-03-10T11:{n % 60:02}:00Z INFO GET /notes/{n} 200" for n in range(300)), *LOUD],
    ],
    ids=["few", "only informed of", "over", "drowned"],
)
def test_noise_leaves_a_healthy_cluster_healthy(lines: list[str]) -> None:
    assert asked("Coins are refused", *lines).verdict == "no_action"


def test_trouble_in_a_namespace_that_is_not_ours_is_not_ours() -> None:
    assert asked("Coins are refused", *CALM, *LOUD, namespace="elsewhere").verdict == "no_action"


def test_a_habit_counts_where_the_ticket_speaks_of_it() -> None:
    habit = [f"2026-03-10T11:{n:02}:00Z ERROR banknote not accepted: fold in corner" for n in range(30, 58)]
    assert asked("Machines take no banknote", *habit).verdict == "needs_human"
    assert asked("Is all well after the upgrade?", *habit).verdict == "no_action"


def mailing(line: str, *, map_only: bool = False, **still: str) -> Diagnosis:
    """A program that lost MAIL_FOOTER_TEXT an hour ago, as a variable or as a key of its map, and what it logs."""
    full, left = {"MAIL_FOOTER_TEXT": "bye", "MAIL_FROM": "a@b.example"}, {"MAIL_FROM": "a@b.example", **still}
    live: tuple[Any, ...]
    if map_only:
        before = manifest(deployment("mailing", container(**READS)), config_map("limits", **full))
        live = (app("mailing", container(**READS)), config_map("limits", **left))
        after = manifest(deployment("mailing", container(**READS)), config_map("limits", **left))
    else:
        before = manifest(deployment("mailing", container(env=env(**full))))
        live = (app("mailing", container(env=env(**left))),)
        after = manifest(deployment("mailing", container(env=env(**left))))
    cluster = snapshot(*live, logs=[log(live[0][-1], *CALM, *stamped(line))])
    source = history({"deploy/all.yaml": before}, ("mailing: tidy", 60, {"deploy/all.yaml": after}))
    return diagnose(cluster, source)


FOOTER = "ERROR letter left out: template wants MAIL_FOOTER_TEXT"


@pytest.mark.parametrize("map_only", [False, True], ids=["variable", "key"])
def test_a_variable_that_a_commit_took_and_that_the_warnings_name_is_missed(map_only: bool) -> None:
    diagnosis = mailing(FOOTER, map_only=map_only)
    assert first(diagnosis) == (FaultKind.MISSING_ENV, "Deployment/shop/mailing", "fix")
    assert best_of(diagnosis).suspects[0].subject == "mailing: tidy"


def test_a_variable_that_nobody_speaks_of_or_that_is_set_otherwise_is_not_missed() -> None:
    assert mailing("ERROR letter left out: no stamp").verdict != "fix"
    assert mailing(FOOTER, map_only=True, MAIL_FOOTER_TEXT="bye").verdict != "fix"


@pytest.mark.parametrize(
    ("level", "complaint", "verdict"),
    [
        ("WARN", "Coins are refused", "no_action"),
        ("ERROR", "Coins are refused", "needs_human"),
        ("WARN", "Every second banknote comes back", "needs_human"),
    ],
)
def test_of_a_new_pod_only_errors_or_what_the_ticket_means_are_a_trouble(
    level: str, complaint: str, verdict: str
) -> None:
    made = app("tellers")
    made[-1]["metadata"]["creationTimestamp"] = ago(32)
    lines = stamped(f"{level} banknote not accepted", first=30)
    cluster = snapshot(made, logs=[log(made[-1], *lines)])
    diagnosis = judge(cluster, None, fix_threshold=0.6, repairable=False, complaint=complaint).diagnosis
    assert diagnosis.verdict == verdict
