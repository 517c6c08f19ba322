"""Systems outside that fail their callers: by their status, by what they send; and what only looks like it."""

import pytest

from sre_bot.domain.cluster import ClusterSnapshot
from sre_bot.domain.finding import FaultKind
from tests.clusters import app, container, deployment, env, found, log, pod, replica_set, snapshot

HOST = "feed.partner.example"
READER = app("reader", container(env=env(FEED_URL=f"https://{HOST}/daily.csv", CACHE="redis")))


def told(*lines: str, times: int = 8) -> ClusterSnapshot:
    """A running reader that logs each line some times within the last minutes."""
    stamped = [f"2026-03-10T11:{50 + n}:00Z {line}" for n in range(times) for line in lines]
    return snapshot(READER, logs=[log(READER[-1], *stamped)])


@pytest.mark.parametrize(
    "line",
    [
        f"ERROR POST https://{HOST}/v1/charges: 503 Service Unavailable (x-request-id 3b87b7a3)",
        f"WARN charge failed after 3 tries, gateway {HOST} answers 503 since 11:01",
        f"ERROR upstream returned 502 from {HOST}",
        f"ERROR {HOST} responded with HTTP status 500",
        f"WARN 429 Too Many Requests: https://{HOST}/v1/quotes",
        f"ERROR feed https://{HOST}/daily.csv: row 14: 'JPY;;' has no value, row skipped",
        "ERROR feed rejected: 412 of 412 rows invalid, keeping the last good import",
    ],
)
def test_a_host_outside_that_fails_is_an_outage_of_the_first_workload_that_suffers(line: str) -> None:
    assert found(told(line)) == [(FaultKind.UPSTREAM_OUTAGE, "Deployment/shop/reader")]


@pytest.mark.parametrize(
    "line",
    [
        f"WARN slow answer: https://{HOST}/v1/quotes took 503 ms",
        f"WARN https://{HOST}/v1/quotes answered 404",
        "ERROR form rejected: field mail is empty, asked by https://reader.shop.svc/form",
        "WARN file upload of a visitor skipped: row 3 is invalid",
        f"INFO 500 rows read from {HOST}",
    ],
)
def test_slow_answers_client_errors_and_visitors_bad_input_are_no_outage(line: str) -> None:
    assert found(told(line)) == []


def test_one_error_among_many_lines_is_the_weather() -> None:
    quiet = [f"2026-03-10T11:5{n % 10}:00Z INFO read {n} rows" for n in range(200)]
    line = f"2026-03-10T11:58:00Z ERROR feed https://{HOST}/daily.csv: row 14 is invalid, row skipped"
    assert found(snapshot(READER, logs=[log(READER[-1], *quiet, line)])) == []


def test_records_that_are_refused_since_the_readers_own_rollout_are_no_outage() -> None:
    made = deployment("reader", container(env=env(FEED_URL=f"https://{HOST}/daily.csv")))
    before, after = replica_set(made, replicas=0), replica_set(made, revision=2, age=20)
    new = pod(after, age=20)
    lines = [f"2026-03-10T11:5{n}:00Z ERROR row {n}: invalid date, row skipped" for n in range(9)]
    assert found(snapshot(made, before, after, new, logs=[log(new, *lines)])) == []
    assert found(snapshot(made, after, new, logs=[log(new, *lines)])) != []


def test_identifiers_do_not_make_two_of_the_same_line() -> None:
    lines = [f"2026-03-10T11:5{n}:00Z ERROR POST https://{HOST}/v1: 503 (x-request-id {n}b87b7a{n})" for n in range(5)]
    quiet = [f"2026-03-10T11:4{n % 10}:00Z INFO booking stored" for n in range(200)]
    cluster = snapshot(READER, logs=[log(READER[-1], *quiet, *lines)])
    assert found(cluster) == [(FaultKind.UPSTREAM_OUTAGE, "Deployment/shop/reader")]
