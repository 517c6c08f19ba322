"""Systems outside that fail, as many clients log it, and data from outside that is of no use; and what is neither."""

import pytest

from sre_bot.domain.cluster import ClusterSnapshot
from sre_bot.domain.finding import FaultKind
from tests.clusters import (
    Object,
    app,
    container,
    deployment,
    env,
    found,
    log,
    only,
    pod,
    replica_set,
    service,
    snapshot,
    thing,
)

HOST = "api.tollpartner.example"
BILLING = app("billing", container(env=env(TOLL_API_URL=f"https://{HOST}/v3", DB_HOST="ledger", DB_PORT="5432")))
LEDGER = [app("ledger"), service("ledger", {"port": 5432, "targetPort": 5432})]


def told(*lines: str, times: int = 6, of: list[Object] | None = None) -> ClusterSnapshot:
    """A running program that logs each line every other minute, the last within two minutes, among calm ones."""
    caller = of or BILLING
    stamped = [f"2026-03-10T11:{59 - 2 * n}:00Z {line}" for n in reversed(range(times)) for line in lines]
    calm = [f"2026-03-10T11:{n % 40:02}:00Z INFO invoice {n} stored" for n in range(130)]
    return snapshot(caller, LEDGER, logs=[log(caller[-1], *sorted(calm), *stamped)])


OUTAGES = {
    "Go, no answer": f'ERROR charge failed err="Post \\"https://{HOST}/v3/charge\\": context deadline exceeded"',
    "Go, TLS": f'ERROR Get "https://{HOST}/v3/rates": net/http: TLS handshake timeout',
    "Go, gRPC": f'level=error msg="rpc error: code = Unavailable desc = connection closed" target={HOST}:443',
    "Python requests": f"ERROR requests ReadTimeout: HTTPSConnectionPool(host='{HOST}', port=443): Read timed"
    " out. (read timeout=10)",
    "Python boto": "ERROR botocore.exceptions.ClientError: An error occurred (SlowDown) when calling the PutObject"
    f" operation (reached max retries: 4): Please reduce your request rate. Host: {HOST}",
    "Java": f'ERROR 1 --- [exec-4] c.x.TollClient : I/O error on GET for "https://{HOST}/v3": Connect timed out',
    "Java, name": f"ERROR [main] c.x.TollClient - UnknownHostException: {HOST}: Name or service not known",
    "Node": f"ERROR FetchError: request to https://{HOST}/v3/rates failed, reason: socket hang up",
    ".NET": "fail: Billing.TollClient[0] Response status code does not indicate success: 503 (Service Unavailable).",
    "Ruby": f"E, [2026-03-10T11:59:00 #1] ERROR -- : Faraday::ServerError: status 502 from {HOST}",
    "PHP": f"app.ERROR: cURL error 28: Operation timed out after 10001 milliseconds for https://{HOST}/v3/rates",
    "a quota": f"ERROR toll API: 429 Too Many Requests, daily quota exceeded (https://{HOST}/v3/rates)",
    "a proxy": f'[error] 31#31: *44 upstream timed out (110: Operation timed out), host: "{HOST}"',
    "an Envoy": f'ERROR "GET /v3/rates HTTP/2" 503 UF upstream connect error, authority "{HOST}"',
    "meant by its setting": "ERROR toll rates cannot be had: gateway is under maintenance, trying again in 30 s",
    "a mail server": f"ERROR mail to {HOST} deferred: 451 4.7.1 try again later",
}


@pytest.mark.parametrize("client", OUTAGES)
def test_an_outside_system_that_fails_is_found_however_the_client_says_so(client: str) -> None:
    finding = only(told(OUTAGES[client]), FaultKind.UPSTREAM_OUTAGE)
    assert (str(finding.object), finding.observed) == ("Deployment/shop/billing", HOST)


INNOCENT = {
    "a client error": f"ERROR Get https://{HOST}/v3/rates: status 404",
    "a refused identity": f"ERROR https://{HOST}/v3/rates answered 401 Unauthorized after a timeout of the token",
    "our own database": "ERROR connection to ledger:5432 failed: timeout",
    "calm words": f"INFO retry budget for https://{HOST}: timeout=10s, max retries 3",
    "a slow answer": f"WARN https://{HOST}/v3/rates took 503 ms",
    "a file's name": "ERROR upload of holiday.webp timed out after the visitor left",
    "a logger's name": "ERROR from billing.rates.cache: timeout of a lock",
    "a word within a word": f"ERROR lookup of storage.{HOST.partition('.')[2]} is fine",
}


@pytest.mark.parametrize("case", INNOCENT)
def test_what_is_no_failure_of_the_other_side_is_no_outage(case: str) -> None:
    kinds = [kind for kind, _ in found(told(INNOCENT[case]))]
    assert FaultKind.UPSTREAM_OUTAGE not in kinds


def test_failures_that_differ_in_every_line_count_together() -> None:
    names = ("kivo", "rume", "tazi", "wolu")
    lines = [f"ERROR PUT https://{HOST}/b/{name}.jpg failed: 503 Service Unavailable" for name in names]
    only(told(*lines, times=1), FaultKind.UPSTREAM_OUTAGE)


def test_one_failure_among_many_lines_is_the_weather() -> None:
    assert found(told(OUTAGES["Go, no answer"], times=1)) == []


def test_what_fails_at_our_own_entrance_is_not_outside() -> None:
    route = thing(
        "Ingress",
        "shop",
        api="networking.k8s.io/v1",
        spec={"rules": [{"host": "www.tollshop.example", "http": {"paths": []}}]},
    )
    cluster = told('[error] upstream timed out (110: Operation timed out), host: "www.tollshop.example"')
    both = cluster.model_copy(update={"objects": (*cluster.objects, route)})
    assert FaultKind.UPSTREAM_OUTAGE not in [kind for kind, _ in found(both)]


FEEDS = {
    "Jackson": "ERROR FeedReader : com.fasterxml.jackson.core.JsonParseException: Unexpected character ('<' (code 60))",
    "Go": 'level=error msg="import failed" err="invalid character \'<\' looking for beginning of value"',
    "Xerces": "SEVERE import: org.xml.sax.SAXParseException; lineNumber: 1; Content is not allowed in prolog.",
    "pandas": "CRITICAL import: pandas.errors.ParserError: Error tokenizing data. C error: Expected 12 fields, saw 13",
    "Ruby": "E, [2026-03-10T11:59:00 #1] ERROR -- : import: CSV::MalformedCSVError: Illegal quoting in line 7.",
    "a truncated archive": "ERROR import: zipfile.BadZipFile: File is not a zip file",
    ".NET": "fail: Billing.Import[0] Rejected 4402 of 4410 rows: column price is empty",
    "a count": "ERROR import: feed of today has 0 rows read, keeping yesterday's",
}


@pytest.mark.parametrize("reader", FEEDS)
def test_data_from_outside_that_cannot_be_used_is_the_senders_fault(reader: str) -> None:
    assert found(told(FEEDS[reader])) == [(FaultKind.UPSTREAM_OUTAGE, "Deployment/shop/billing")]


TRACE = (
    "ERROR import failed",
    "Traceback (most recent call last):",
    '  File "/app/billing/rates.py", line 31, in load',
    "    rates = json.loads(body)",
    "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
)


def test_a_parser_that_gives_up_is_no_regression_unless_the_reader_is_new() -> None:
    body = [line for _ in range(4) for line in TRACE]
    cluster = told("INFO import begins", of=BILLING)
    old = cluster.model_copy(update={"logs": (log(BILLING[-1], "2026-03-10T11:58:00Z INFO import", *body),)})
    assert found(old) == [(FaultKind.UPSTREAM_OUTAGE, "Deployment/shop/billing")]
    made = deployment("billing", container(env=env(TOLL_API_URL=f"https://{HOST}/v3")))
    before, after = replica_set(made, replicas=0), replica_set(made, revision=2, age=40)
    new = pod(after, age=40)
    rolled = snapshot(made, before, after, new, logs=[log(new, "2026-03-10T11:58:00Z INFO import", *body)])
    assert found(rolled) == [(FaultKind.CODE_REGRESSION, "Deployment/shop/billing")]
