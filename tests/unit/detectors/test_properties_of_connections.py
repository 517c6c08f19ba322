"""What holds for all names, ports, labels and files: right connections are no fault, and one wrong field is."""

import json
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sre_bot.detectors import detect
from sre_bot.detectors.addresses import Names
from sre_bot.detectors.assignments import assignments
from sre_bot.detectors.index import ClusterIndex
from tests.ailing_clusters import Part, answers, cluster, complaining, quiet, server, variables, with_login
from tests.clusters import Object, found, service, thing

SOME = settings(max_examples=25, deadline=None, derandomize=True)
names = st.from_regex(r"[a-z][a-z0-9]{2,8}(-[a-z][a-z0-9]{1,6})?", fullmatch=True)
ports = st.integers(1024, 65535)
labels = st.dictionaries(names, names, min_size=1, max_size=4)


def kinds(*parts: Part | Object | list[Object]) -> set[str]:
    return {str(kind) for kind, _ in found(cluster(*parts))}


@SOME
@given(
    st.dictionaries(names, st.tuples(names, ports), min_size=1, max_size=4), st.sampled_from(["yaml", "json", "toml"])
)
def test_a_host_and_its_port_stand_in_one_part_of_a_file(parts: dict[str, tuple[str, int]], form: str) -> None:
    document = {part: {"host": host, "port": port} for part, (host, port) in parts.items()}
    content = {
        "yaml": yaml.safe_dump(document),
        "json": json.dumps(document, indent=2),
        "toml": "".join(f'[{part}]\nhost = "{host}"\nport = {port}\n' for part, (host, port) in parts.items()),
    }[form]
    read: dict[str, dict[str, str]] = {}
    for entry in assignments(content):
        read.setdefault(entry.section, {})[entry.key] = entry.value
    expected = sorted((host, str(port)) for host, port in parts.values())
    assert sorted((one["host"], one["port"]) for one in read.values()) == expected


@SOME
@given(
    names,
    st.sampled_from(["{0}", "{0}.shop", "{0}.shop.svc", "{0}.shop.svc.cluster.local", "{0}.shop.svc.cluster.local."]),
)
def test_every_spelling_of_a_service_leads_to_it(name: str, spelling: str) -> None:
    index = ClusterIndex(cluster(server(name), quiet("client-of-it")))
    client = next(one for one in index.workloads if one.ref.name == "client-of-it")
    target = Names(index).resolve(spelling.format(name), client)
    assert target.service is not None and target.name == name


@SOME
@given(names, ports, st.sampled_from(["connection refused", "i/o timeout", "connection reset by peer"]))
def test_a_right_address_is_no_wrong_one_whatever_goes_wrong(name: str, port: int, how: str) -> None:
    spec = variables(TARGET_URL=f"http://{name}:{port}")
    client = complaining("client-of-it", f"dial tcp {name}:{port}: {how}", spec=spec)
    wrong = {"dependency_wrong_address", "dependency_wrong_port", "service_port_mismatch", "dns_misconfigured"}
    assert not kinds(client, server(name, port)) & wrong


@SOME
@given(names, ports, st.integers(1, 400))
def test_a_port_beside_the_offered_one_is_wrong_by_any_distance(name: str, port: int, beside: int) -> None:
    wrong = port - beside
    client = complaining("client-of-it", f"dial tcp {name}:{wrong}: refused", spec=variables(TARGET=f"{name}:{wrong}"))
    assert "dependency_wrong_port" in kinds(client, server(name, port))


@SOME
@given(labels, st.data())
def test_a_selector_is_no_fault_if_its_pods_bear_all_of_it_and_is_one_if_a_pair_differs(
    borne: dict[str, str], data: st.DataObject
) -> None:
    chosen = data.draw(st.sets(st.sampled_from(sorted(borne)), min_size=1))
    selector = {key: borne[key] for key in sorted(chosen)}
    behind = quiet("backend", {"ports": [{"containerPort": 8080}]}, labels=borne)
    client = quiet("client-of-it", variables(TARGET="http://backend"))
    assert kinds(behind, client, service("backend", selector=selector)) == set()
    spoilt = {**selector, sorted(selector)[0]: "somebody-else"}
    assert "service_selector_mismatch" in kinds(behind, client, service("backend", selector=spoilt))


@SOME
@given(st.lists(ports, min_size=1, max_size=4, unique=True), st.data())
def test_a_target_port_is_no_fault_if_a_container_serves_it_and_is_one_if_none_does(
    served: list[int], data: st.DataObject
) -> None:
    target = data.draw(st.sampled_from(served))
    behind = quiet("backend", {"ports": [{"containerPort": port} for port in served]})
    assert kinds(behind, service("backend", {"port": 80, "targetPort": target})) == set()
    nobody = next(port for port in range(1024, 1030) if port not in served)
    assert kinds(behind, service("backend", {"port": 80, "targetPort": nobody})) == {"service_port_mismatch"}


@SOME
@given(st.text("abcdefghijklmnopqrstuvwxyz ", min_size=5, max_size=60))
def test_a_log_without_the_words_of_a_refusal_or_a_limit_accuses_nobody(said: str) -> None:
    client = complaining("client-of-it", said, level="INFO", spec=with_login())
    secret = thing("Secret", "login", data={"password": "eA=="})
    assert kinds(client, secret, server("db", 5432)) == set()


@SOME
@given(st.from_regex(r"[A-Z][a-z]{5}[0-9]{4}[!?][a-z]{5}", fullmatch=True))
def test_a_password_never_stands_in_what_is_found(password: str) -> None:
    said = 'pq: password authentication failed for user "app"'
    spec = variables(DB_PASSWORD=password, DB_URL=f"postgres://app:{password}@db:5432/x", DB_USER="app")
    for finding in detect(cluster(complaining("client-of-it", said, spec=spec), server("db", 5432))):
        assert password not in finding.model_dump_json()


@SOME
@given(names, names)
def test_a_store_that_bears_its_clients_name_is_not_mistaken(own: str, other: str) -> None:
    said = f'FATAL:  database "{own}" does not exist'
    spec = variables(DB_HOST=f"{own}-db", DB_PORT="5432")
    client = complaining(own, said, spec=spec)
    assert "dependency_wrong_address" not in kinds(client, server(f"{own}-db", 5432), server(f"{other}x-db", 5432))


CASES: list[list[Any]] = [
    [complaining("web", "getaddrinfo ENOTFOUND apis", spec=variables(API_URL="http://apis:8080")), server("api")],
    [
        complaining("web", "connect ECONNREFUSED 10.96.0.9:81", spec=variables(API_URL="http://api:81")),
        server("api", 80),
    ],
    [complaining("web", "FATAL: sorry, too many clients already", spec=variables(DB_HOST="db")), server("db", 5432)],
    [quiet("api", {"ports": [{"containerPort": 8080}]}), service("api", selector={"app": "apis"}), quiet("web")],
]


@SOME
@given(st.sampled_from(CASES), st.randoms(use_true_random=False))
def test_the_order_of_objects_and_logs_changes_no_answer(parts: list[Any], chance: Any) -> None:
    seen = cluster(*parts)
    objects, logs = list(seen.objects), list(seen.logs)
    chance.shuffle(objects)
    chance.shuffle(logs)
    assert answers(seen.model_copy(update={"objects": tuple(objects), "logs": tuple(logs)})) == answers(seen)
