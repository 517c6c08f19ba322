"""Whatever a cluster, its logs, its metrics or a repository hold: an answer comes, and it says what was not seen."""

import io
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rich.console import Console

from sre_bot.cli.examination import Examination
from sre_bot.cli.report.page import page_of
from sre_bot.cli.report.terminal import print_report
from sre_bot.cli.report.writing import report_of
from sre_bot.domain.cluster import ClusterSnapshot
from sre_bot.domain.finding import FaultKind
from sre_bot.domain.metrics import read_matrix, read_recorded
from sre_bot.domain.source import SourceHistory
from sre_bot.reasoning import judge
from tests.clusters import app, container, env, event, log, looping, service, snapshot, thing
from tests.hostile_clusters import (
    ESCAPES,
    anything,
    everything,
    hostile_metrics,
    hostile_snapshots,
    repository,
    words,
)

SOME = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example),
)
CLUSTER = everything()
HISTORY = repository(CLUSTER)


def as_result(values: object) -> object:
    """An answer of Prometheus with one series of these values."""
    return {"data": {"result": [{"metric": {}, "values": values}]}}


def told(cluster: ClusterSnapshot, history: SourceHistory | None = None) -> tuple[str, str]:
    """The whole way from a snapshot to what a person reads: on a terminal, and as a page."""
    judgement = judge(cluster, history, fix_threshold=0.6, repairable=history is not None)
    examination = Examination("a dump", cluster, history, judgement, remedies=(), obstacle="")
    report, stream = report_of(examination, 5), io.StringIO()
    print_report(Console(file=stream, width=120), report, explain=True)
    report.model_dump_json().encode()
    page = page_of(report)
    page.encode()
    return stream.getvalue(), page


@SOME
@given(hostile_snapshots())
def test_a_cluster_of_any_shape_gets_an_answer(cluster: ClusterSnapshot) -> None:
    told(cluster, HISTORY)


@SOME
@given(hostile_metrics())
def test_metrics_of_any_value_get_an_answer(metrics: Any) -> None:
    told(CLUSTER.model_copy(update={"metrics": metrics}))


@SOME
@given(st.one_of(anything, anything.map(as_result)))
def test_an_answer_of_prometheus_may_be_anything(answer: Any) -> None:
    for series in (*read_matrix(answer), *read_recorded(answer, "up")):
        told(CLUSTER.model_copy(update={"metrics": (series,)}))


@SOME
@given(st.dictionaries(st.sampled_from(["deploy/all.yaml", "deploy/b.json", "src/main.py"]), words, max_size=3), words)
def test_a_repository_of_any_text_gets_an_answer(files: dict[str, str], patch: str) -> None:
    newest, *older = HISTORY.commits
    change = newest.changes[0].model_copy(update={"patch": f"{newest.changes[0].patch[:80]}{patch}"})
    commits = (newest.model_copy(update={"changes": (change,), "subject": patch}), *older)
    tree = HISTORY.tree.model_copy(update={"files": {**HISTORY.tree.files, **files}})
    told(CLUSTER, HISTORY.model_copy(update={"commits": commits, "tree": tree}))


def test_owners_that_own_each_other_are_followed_only_once() -> None:
    cycle = [
        thing("ReplicaSet", name, metadata={"ownerReferences": [_owner(other)]}, spec={"replicas": 1})
        for name, other in (("a", "b"), ("b", "a"), ("c", "c"))
    ]
    told(snapshot(cycle, app("api")))


def test_an_annotation_of_five_megabytes_neither_stops_the_answer_nor_stands_in_it() -> None:
    broken = app("batch", status=None)
    heavy = [{**one, "metadata": {**one["metadata"], "annotations": {"big": "word " * 1_000_000}}} for one in broken]
    terminal, page = told(snapshot(heavy, *CLUSTER.objects))
    assert max(len(terminal), len(page)) < 1_000_000


def test_nothing_that_acts_reaches_the_reader() -> None:
    client = app("web")
    said = f"{ESCAPES} ERROR dial tcp 10.0.0.1:5432: connect: connection refused"
    cluster = snapshot(client, events=[event(client[-1], "BackOff", said)], logs=[log(client[-1], said * 3)])
    for text in told(cluster):
        assert not set("\x1b\x07\x00\x9b\u202e\u2066") & set(text.replace("\x1b[0m", ""))


DIGITS = "9" * 5_000
"""More than Python turns into a number."""
SAYINGS = (
    f"dial tcp: lookup shop: no such host; http://shop:{DIGITS}/ connection refused",
    f"connect ECONNREFUSED shop:{DIGITS}",
    f'File "/srv/app.py", line {DIGITS}, in run',
    f"panic: nil map\n\ngoroutine {DIGITS} [running]:\nmain.run(...)\n\t/srv/main.go:{DIGITS}",
    f'Exception in thread "main" java.lang.Error: x\n\tat shop.App.run(App.java:{DIGITS})',
    f'Traceback (most recent call last):\n  File "/srv/app.py", line {DIGITS}, in run\nValueError: x',
    f"Readiness probe failed: HTTP probe failed with statuscode: {DIGITS}",
    f"listening on port {DIGITS}",
)


@pytest.mark.parametrize("said", SAYINGS, ids=range(len(SAYINGS)))
def test_a_number_may_have_more_digits_than_can_be_read(said: str) -> None:
    told_so = env(SHOP_URL=f"http://shop:{DIGITS}", SHOP_HOST="shop", SHOP_PORT=DIGITS, PORT=DIGITS)
    probe = {"httpGet": {"port": DIGITS}}
    client = app("web", container(env=told_so, readinessProbe=probe, livenessProbe=probe), status=[looping(1)])
    target = service("web", {"port": 80, "targetPort": DIGITS})
    told(snapshot(client, target, events=[event(client[-1], "Unhealthy", said)], logs=[log(client[-1], said)]))


@pytest.mark.parametrize("count", [10**12, -5, "many", None, 1.5])
def test_a_count_of_an_event_may_be_anything(count: Any) -> None:
    events = [{**one, "count": count} for one in CLUSTER.events]
    told(CLUSTER.model_copy(update={"events": tuple(events)}))


def test_what_was_not_seen_is_said_and_makes_a_calm_answer_less_sure() -> None:
    calm, missing = snapshot(app("api")), "nodes: forbidden"
    blind = calm.model_copy(update={"unseen": (missing,)})
    sure, unsure = (judge(one, None, fix_threshold=0.6, repairable=False).diagnosis for one in (calm, blind))
    assert unsure.best and sure.best
    assert unsure.best.kind == sure.best.kind == FaultKind.HEALTHY
    assert unsure.confidence < sure.confidence
    assert all(missing in text for text in told(blind))


def _owner(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": name,
        "uid": f"uid-ReplicaSet-shop-{name}",
        "controller": True,
    }
