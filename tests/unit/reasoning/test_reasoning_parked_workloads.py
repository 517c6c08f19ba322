"""Workloads without pods: put aside on purpose, switched off by a recent commit, scaled to 0 by hand."""

from sre_bot.domain.diagnosis import Diagnosis
from sre_bot.domain.finding import FaultKind
from sre_bot.domain.source import SourceHistory
from tests.clusters import Object, app, container, deployment, env, service, snapshot, thing
from tests.diagnoses import best_of, diagnose
from tests.histories import history, manifest

OTHER = app("site")


def skates(replicas: int) -> Object:
    return deployment("skates", replicas=replicas)


def parked(days: float, live: int = 0) -> SourceHistory:
    """A commit took the pods away so many days ago; ``live`` is what the branch wants now."""
    path = "deploy/skates.yaml"
    return history({path: manifest(skates(2))}, ("out of season", days * 1_440, {path: manifest(skates(live))}))


def told(*objects: Object | list[Object], source: SourceHistory | None = None) -> Diagnosis:
    return diagnose(snapshot(OTHER, service("site"), *objects), source)


def test_what_was_put_aside_long_ago_and_nobody_calls_is_healthy() -> None:
    diagnosis = told(skates(0), service("skates"), source=parked(60))
    assert (best_of(diagnosis).kind, diagnosis.verdict) == (FaultKind.HEALTHY, "no_action")


def test_without_a_repository_it_is_healthy_as_well() -> None:
    assert best_of(told(skates(0), service("skates"))).kind == FaultKind.HEALTHY


def test_what_somebody_calls_is_missed_however_long_ago_it_went() -> None:
    client = app("shop", container(env=env(SKATES_URL="http://skates:80")))
    diagnosis = told(skates(0), service("skates"), client, source=parked(60))
    assert (best_of(diagnosis).kind, str(best_of(diagnosis).object)) == (
        FaultKind.ZERO_REPLICAS,
        "Deployment/shop/skates",
    )


def test_what_a_recent_commit_switched_off_is_worth_a_question() -> None:
    best = best_of(told(skates(0), service("skates"), source=parked(1)))
    assert (best.kind, best.culprit and best.culprit.subject) == (FaultKind.ZERO_REPLICAS, "out of season")


def test_what_somebody_scaled_to_0_by_hand_is_drift() -> None:
    best = best_of(told(skates(0), service("skates"), source=parked(60, live=2)))
    assert (best.kind, str(best.object)) == (FaultKind.CONFIG_DRIFT, "Deployment/shop/skates")


def test_what_an_autoscaler_took_away_is_no_drift() -> None:
    target = {"scaleTargetRef": {"name": "skates"}, "minReplicaCount": 0, "triggers": [{"type": "cron"}]}
    scaler = thing("ScaledObject", "skates", api="keda.sh/v1alpha1", spec=target)
    assert best_of(told(skates(0), service("skates"), scaler, source=parked(60, live=2))).kind == FaultKind.HEALTHY
