"""Pods that are all ready, no warning event, and a log that says what does not work; and logs that only look so."""

import pytest

from sre_bot.domain.cluster import ClusterSnapshot
from sre_bot.domain.finding import FaultKind
from tests.clusters import (
    Object,
    app,
    container,
    deployment,
    ended,
    env,
    found,
    log,
    only,
    pod,
    replica_set,
    service,
    snapshot,
    workload,
)

HOST = "rates.seawind.example"
READER = app("tides", container(env=env(FEED_URL=f"https://{HOST}/v1/tides")))


def stamped(*lines: str, first: int = 10, step: int = 7) -> list[str]:
    """Lines of this hour, so many minutes apart."""
    return [f"2026-03-10T11:{first + step * n:02}:00Z {line}" for n, line in enumerate(lines)]


def read(*lines: str, of: list[Object] | None = None) -> ClusterSnapshot:
    reader = of or READER
    return snapshot(reader, logs=[log(reader[-1], *lines)])


AGES = (
    "WARN tide table is {} min old",
    'WARN msg="stale input" age={}m',
    '{{"level":"warn","msg":"no new samples for {} minutes"}}',
    "WARNING feed.poll: last reading was {} minutes old",
)


@pytest.mark.parametrize("line", AGES)
def test_data_from_outside_that_grows_old_with_the_clock_is_an_outage_there(line: str) -> None:
    cluster = read(*stamped(*(line.format(20 + 7 * n) for n in range(7))))
    finding = only(cluster, FaultKind.UPSTREAM_OUTAGE)
    assert (finding.observed, str(finding.object)) == (HOST, "Deployment/shop/tides")


@pytest.mark.parametrize("line", AGES)
def test_data_that_is_always_about_as_old_has_the_pace_of_its_source(line: str) -> None:
    assert found(read(*stamped(*(line.format(20 + n % 2) for n in range(7))))) == []


def test_old_data_of_a_reader_that_fetches_nothing_outside_is_no_outage() -> None:
    inner = app("board", container(env=env(TIDES_URL="http://tides:8080")))
    cluster = read(*stamped(*(AGES[0].format(20 + 7 * n) for n in range(7))), of=inner)
    assert FaultKind.UPSTREAM_OUTAGE not in [kind for kind, _ in found(cluster)]


def test_a_file_that_does_not_parse_is_its_senders_whom_the_line_before_names() -> None:
    importer = app("stock-import", container(env=env(PARTNERS="kelp,drift")))
    fetched = "INFO downloaded https://files.kelpworks.example/all.xml, 200, 1048576 bytes"
    lines = stamped(
        *[fetched, "ERROR import of kelp failed: org.xml.sax.SAXParseException; lineNumber: 7;"] * 3, step=8
    )
    finding = only(read(*lines, of=importer), FaultKind.UPSTREAM_OUTAGE)
    assert finding.observed == "files.kelpworks.example"
    silent = [line for line in lines if "downloaded" not in line]
    assert FaultKind.UPSTREAM_OUTAGE not in [kind for kind, _ in found(read(*silent, of=importer))]


def test_a_feed_that_fails_at_every_turn_fails_until_the_next_one() -> None:
    lines = [
        f"2026-03-10T{hour:02}:05:00Z ERROR import of tides: JSONDecodeError: Expecting value"
        for hour in (8, 9, 10, 11)
    ]
    cluster = read(*lines, *stamped(*[f"INFO GET /tides/{n} 200" for n in range(7)]))
    assert only(cluster, FaultKind.UPSTREAM_OUTAGE).observed == HOST
    ended = read(*lines[:2], *stamped(*[f"INFO GET /tides/{n} 200" for n in range(7)]))
    assert found(ended) == []


def test_an_access_log_of_calls_outside_tells_of_their_server_errors() -> None:
    lines = stamped(*[f'E -- : POST https://{HOST}/v1/marks/7 503 {{"retry_after":60}}'] * 7)
    assert only(read(*lines), FaultKind.UPSTREAM_OUTAGE).observed == HOST
    quick = stamped(*[f"I -- : POST https://{HOST}/v1/marks/7 503 ms"] * 7)
    assert found(read(*quick)) == []


RUN = """2026-03-10 0{hour}:15:03,100 ERROR [payouts.nightly] run failed
Traceback (most recent call last):
  File "/app/src/payouts/nightly.py", line 31, in run
    total = add(rows)
TypeError: unsupported operand type(s) for +: 'int' and 'str'"""
CALM = [f'INFO: 10.1.0.{n} - "GET /payouts/{n} HTTP/1.1" 200 OK' for n in range(40)]


def test_a_nightly_run_that_failed_counts_until_the_next_one() -> None:
    payouts = app("payouts")
    finding = only(read(RUN.format(hour=2), *CALM, of=payouts), FaultKind.CODE_REGRESSION)
    assert str(finding.object) == "Deployment/shop/payouts"


@pytest.mark.parametrize(
    "later",
    [
        "2026-03-10 04:15:09,000 INFO [payouts.nightly] run finished, 311 payouts",
        "2026-03-10 05:00:00,000 INFO [payouts.nightly] nothing left to do",
    ],
)
def test_a_nightly_run_that_was_heard_of_since_is_over(later: str) -> None:
    assert found(read(RUN.format(hour=2), *CALM, later, of=app("payouts"))) == []


def test_an_error_of_a_request_in_the_night_is_no_run() -> None:
    request = RUN.format(hour=2).replace("payouts.nightly] run failed", "payouts.web] cannot answer GET /payouts/7")
    assert found(read(request, *CALM, of=app("payouts"))) == []


def orders(protocol: str, *lines: str, name: str = "http") -> ClusterSnapshot:
    """A Service that announces a protocol, its pods' port, and what they log."""
    served = app("parcels", container(ports=[{"name": name, "containerPort": 8000}]))
    front = service("parcels", {"name": name, "port": 80, "targetPort": name, "appProtocol": protocol})
    return snapshot(served, front, logs=[log(served[-1], *stamped(*lines, step=5))])


GREETINGS = (
    "WARNING:  Invalid HTTP request received.",
    'error: "PRI * HTTP/2.0" 400 0',
    "WARN Invalid character found in method name [PRI]",
    "clientError HPE_INVALID_METHOD: Parse Error: Expected HTTP/1.1",
)


@pytest.mark.parametrize("line", GREETINGS)
def test_a_server_that_does_not_understand_the_announced_protocol_says_so_itself(line: str) -> None:
    finding = only(orders("kubernetes.io/h2c", *[line] * 8), FaultKind.SERVICE_PROTOCOL_MISMATCH)
    assert (str(finding.object), finding.observed) == ("Service/shop/parcels", "kubernetes.io/h2c")


def test_a_scanner_that_knocks_once_or_in_the_right_protocol_proves_nothing() -> None:
    assert found(orders("kubernetes.io/h2c", *[GREETINGS[0]] * 2)) == []
    assert found(orders("http", *[GREETINGS[0]] * 8)) == []


def test_a_gateway_that_resets_for_a_protocol_error_names_the_service() -> None:
    edge = app("edge")
    served = app("parcels", container(ports=[{"name": "http", "containerPort": 8000}]))
    front = service("parcels", {"name": "http", "port": 80, "targetPort": "http", "appProtocol": "kubernetes.io/h2c"})
    line = '"POST /p HTTP/2" 502 UPE 0 87 3 upstream_reset_before_response_started{protocol_error} shop/parcels'
    cluster = snapshot(edge, served, front, logs=[log(edge[-1], *stamped(*[line] * 7))])
    assert only(cluster, FaultKind.SERVICE_PROTOCOL_MISMATCH).object.name == "parcels"


LAZY = (
    'ERROR cannot print label: Environment variable not found: "LABEL_PRINTER_URL".',
    "ERROR KeyError: 'LABEL_PRINTER_URL'",
    'ERROR label failed: missing ENV["LABEL_PRINTER_URL"]',
    "ERROR no value for LABEL_PRINTER_URL",
    "WARN LABEL_PRINTER_URL must not be empty, label skipped by its caller".replace("skipped", "lost"),
    'PHP Warning:  Undefined array key "LABEL_PRINTER_URL" in /app/label.php',
    'WARN getenv("LABEL_PRINTER_URL") returned null',
    "ERROR LABEL_PRINTER_URL: NotPresent",
)


def labels(line: str, **before: str) -> ClusterSnapshot:
    """A running program that misses a variable when it prints, and the variables of its last revision."""
    now = deployment("labels", container(env=env(LABEL_SIZE="a6")))
    then = deployment("labels", container(env=env(LABEL_SIZE="a6", **before)))
    newest = replica_set(now, revision=2)
    child = pod(newest, name="labels-rev2-x1")
    return snapshot(now, replica_set(then, replicas=0), newest, child, logs=[log(child, *stamped(*[line] * 7))])


@pytest.mark.parametrize("line", LAZY)
def test_a_variable_that_is_missed_only_when_it_is_needed_is_found_in_a_running_program(line: str) -> None:
    finding = only(labels(line, LABEL_PRINTER_URL="http://printer"), FaultKind.MISSING_ENV)
    assert finding.observed == "LABEL_PRINTER_URL"


@pytest.mark.parametrize(
    "line",
    [
        "WARN LABEL_PRINTER_URL is not set, using the default",
        "ERROR PARCEL_A17 not found",
        "ERROR KeyError: 'PARCEL_A17'",
    ],
)
def test_a_default_or_another_name_in_capitals_is_no_missed_variable(line: str) -> None:
    assert found(labels(line, LABEL_PRINTER_URL="http://printer")) == []


def ledger(host: str, namespace: str = "shop", *lines: str) -> ClusterSnapshot:
    """A client of a database that stands once for each environment, in namespaces of their own."""
    client = app("totals", container(env=env(DB_URL=f"postgres://{host}:5432/totals")), namespace=namespace)
    port = {"port": 5432, "targetPort": 5432}
    twins = [
        (app("main", namespace=home), service("main", port, namespace=home)) for home in ("stores", "stores-staging")
    ]
    return snapshot(client, twins, logs=[log(client[-1], *stamped(*lines))])


MISSED = ("WARN account 77 is not known in totals@main.stores-staging, left out",) * 6


def test_a_server_of_another_environment_that_the_warnings_name_is_a_wrong_address() -> None:
    cluster = ledger("main.stores-staging.svc.cluster.local", "shop", *MISSED)
    finding = only(cluster, FaultKind.DEPENDENCY_WRONG_ADDRESS)
    assert finding.expected == "main.stores.svc.cluster.local"


def test_a_server_of_the_own_environment_or_one_that_nobody_minds_is_right() -> None:
    assert found(ledger("main.stores.svc.cluster.local", "shop", *MISSED)) == []
    assert found(ledger("main.stores-staging.svc.cluster.local", "shop-staging", *MISSED)) == []
    assert found(ledger("main.stores-staging.svc.cluster.local", "shop", *["WARN queue is long"] * 6)) == []


def exported(*lines: str, newer: bool = False) -> ClusterSnapshot:
    """A nightly Job that ended well as its exit code says, its log, and perhaps the run after it."""
    job = workload("Job", "export-1", container(env=env(SFTP_URL="https://drop.seawind.example/in")))
    over: Object = {"name": "app", "ready": False, "restartCount": 0, "state": {"terminated": ended(0, "Completed")}}
    done = pod(job, over, name="export-1-a", phase="Succeeded", ready=False, age=301)
    later = pod(job, over, name="export-1-b", phase="Succeeded", ready=False, age=31)
    return snapshot(job, done, [later] if newer else [], logs=[log(done, *lines)])


UPLOADED = [f"2026-03-10T07:0{n}:00Z INFO file {n} of 9 written" for n in range(9)]
BROKEN = "2026-03-10T07:09:00Z ERROR upload failed: dial tcp drop.seawind.example:443: connect: connection refused"


def test_an_error_that_ended_the_newest_run_stands_whatever_the_exit_code() -> None:
    finding = only(exported(*UPLOADED, BROKEN), FaultKind.UPSTREAM_OUTAGE)
    assert str(finding.object) == "Job/shop/export-1"


def test_an_error_that_the_run_outlived_or_that_a_later_run_has_not_is_over() -> None:
    assert found(exported(BROKEN, *UPLOADED)) == []
    assert found(exported(*UPLOADED, BROKEN, newer=True)) == []
