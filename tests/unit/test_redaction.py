"""What redaction takes out, and what it must leave readable."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_bot.domain.redaction import LAST_APPLIED, is_secret_name, redact, redact_object

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjaGVja291dCJ9.c2lnbmF0dXJlLW9mLWl0"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("DB_PASSWORD=kestrel host=db port=5432", "DB_PASSWORD=*** host=db port=5432"),
        ('password = "two words" then', 'password = "***" then'),
        ("Server=db;Password=abc;User=shop", "Server=db;Password=***;User=shop"),
        ('{"api_key": "k-1", "host": "db:5432"}', '{"api_key": "***", "host": "db:5432"}'),
        (r"{\"client_secret\":\"zzz\"}", r"{\"client_secret\":\"***\"}"),
        ("  password: kestrel", "  password: ***"),
        ("X-Api-Key: 9f8e7d6c5b4a", "X-Api-Key: ***"),
        ("--token abcd1234efgh --port 80", "--token *** --port 80"),
        ("--password=kestrel", "--password=***"),
        ("GET /login?token=abcdef&page=2", "GET /login?token=***&page=2"),
        ("postgres://shop:kes%40trel@db.shop.svc:5432/shop", "postgres://shop:***@db.shop.svc:5432/shop"),
        ("redis://:kestrel@cache:6379/0", "redis://:***@cache:6379/0"),
        ("shop:kestrel@tcp(db:3306)/shop", "shop:***@tcp(db:3306)/shop"),
        ("Authorization: Bearer abcdef123456", "Authorization: Bearer ***"),
        ("authorization: basic c2hvcDprZXN0cmVs", "authorization: basic ***"),
        (f"got {JWT} from login", "got eyJ*** from login"),
        ("key AKIAABCDEFGHIJKLMNOP used", "key AKIA*** used"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "ghp_***"),
        ("github_pat_11ABCDEFG0abcdefghij_klmnopqrstuv", "github_pat_***"),
        ("aws_secret_access_key=wJalrXUtnFEMI/K7MDENG", "aws_secret_access_key=***"),
    ],
)
def test_a_secret_is_masked_and_what_surrounds_it_stays(text: str, expected: str) -> None:
    assert redact(text) == expected


def test_a_private_key_is_masked_whole_even_without_its_end() -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\nq83vEjRWeJASNFZ4\n"

    whole = redact(f"before\n{key}-----END RSA PRIVATE KEY-----\nafter")
    cut = redact(f"before\n{key}")

    assert "MIIEow" not in whole + cut
    assert whole.startswith("before\n")
    assert whole.endswith("-----END RSA PRIVATE KEY-----\nafter")


@pytest.mark.parametrize(
    "text",
    [
        'FATAL:  password authentication failed for user "shop"',
        "Access denied for user 'root'@'10.0.0.1' (using password: YES)",
        'MountVolume.SetUp failed for volume "x" : secret "db-credentials" not found',
        "couldn't find key password in Secret shop/db-credentials",
        'failed to fetch token: Post "http://auth.shop.svc:8080/token": dial tcp 10.96.0.7:8080: i/o timeout',
        "invalid token: signature has expired",
        "token: 401 Unauthorized",
        "password=null",
        "password=${DB_PASSWORD}",
        "PGPASSWORD=$(DB_PASSWORD)",
        "flag --token is required",
        "bearer authentication is required here",
        'reconcile failed secret="shop/db-credentials"',
        "connecting to db.shop.svc.cluster.local:5432",
        "tokens=400 passed=12 bypass=all compass=north",
        "https://registry.example.com/v2/shop/checkout/manifests/1.4.2",
        "dial tcp 10.244.1.20:5050: connect: connection refused",
        "NOAUTH Authentication required.",
    ],
)
def test_error_texts_hosts_and_references_stay(text: str) -> None:
    assert redact(text) == text


@given(st.text())
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    once = redact(text)

    assert redact(once) == once


@given(
    st.sampled_from(
        ["password=", "token: ", "secret ", '"api_key": "', "Authorization: ", "://u:", "eyJabc.", "--pwd "]
    ),
    st.text(alphabet="abc123 =:\"'@/.-*,\n", max_size=40),
    st.sampled_from(["", '"', "@host", "\n", " password=x"]),
)
def test_redacting_twice_changes_nothing_more_around_secrets(start: str, middle: str, end: str) -> None:
    once = redact(start + middle + end)

    assert redact(once) == once


@pytest.mark.parametrize("name", ["DB_PASSWORD", "apiKey", "GITHUB_TOKEN", "clientSecret", "AWS_SECRET_ACCESS_KEY"])
def test_a_name_that_ends_in_a_secret_word_is_secret(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["TOKEN_URL", "PASSWORD_FILE", "SECRET_NAME", "LOG_LEVEL", "COMPASS"])
def test_a_name_that_only_speaks_of_a_secret_is_not(name: str) -> None:
    assert not is_secret_name(name)


def test_a_secrets_keys_stay_and_its_values_go() -> None:
    applied = json.dumps({"kind": "Secret", "stringData": {"password": "kestrel"}})
    secret: dict[str, Any] = {
        "kind": "Secret",
        "metadata": {"name": "db", "annotations": {LAST_APPLIED: applied, "team": "shop"}},
        "data": {"password": "a2VzdHJlbA==", "username": "c2hvcA=="},
    }

    redacted = redact_object(secret)

    assert redacted["data"] == {"password": "", "username": ""}
    assert redacted["metadata"]["annotations"] == {"team": "shop"}
    assert secret["data"]["password"] == "a2VzdHJlbA=="


def test_secret_variables_are_masked_and_references_to_them_are_not() -> None:
    variables = [
        {"name": "DB_PASSWORD", "value": "kestrel"},
        {"name": "DB_HOST", "value": "db.shop.svc:5432"},
        {"name": "DB_URL", "value": "postgres://shop:kestrel@db:5432/shop"},
        {"name": "API_TOKEN", "valueFrom": {"secretKeyRef": {"name": "api", "key": "token"}}},
        {"name": "OLD_PASSWORD", "value": "$(DB_PASSWORD)"},
    ]
    pod = {"kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "env": variables}]}}

    env = redact_object(pod)["spec"]["containers"][0]["env"]

    assert [item.get("value") for item in env] == [
        "***",
        "db.shop.svc:5432",
        "postgres://shop:***@db:5432/shop",
        None,
        "$(DB_PASSWORD)",
    ]
    assert env[3] == variables[3]


def test_arguments_after_secret_flags_are_masked() -> None:
    container = {"args": ["--listen", ":80", "--db-password", "kestrel", "--api-token=k-1", "--secret", "--verbose"]}

    assert redact_object(container)["args"] == [
        "--listen",
        ":80",
        "--db-password",
        "***",
        "--api-token=***",
        "--secret",
        "--verbose",
    ]


def test_the_last_applied_configuration_is_redacted_inside() -> None:
    applied = {"kind": "Pod", "spec": {"containers": [{"env": [{"name": "DB_PASSWORD", "value": "kestrel"}]}]}}
    pod = {"kind": "Pod", "metadata": {"annotations": {LAST_APPLIED: json.dumps(applied)}}}

    inner = json.loads(redact_object(pod)["metadata"]["annotations"][LAST_APPLIED])

    assert inner["spec"]["containers"][0]["env"] == [{"name": "DB_PASSWORD", "value": "***"}]


def test_references_to_secrets_in_custom_resources_stay() -> None:
    issuer = {"kind": "Issuer", "spec": {"secret": "ca-pair", "authSecret": "login", "tokenSecretRef": {"key": "t"}}}

    assert redact_object(issuer) == issuer


def test_configuration_files_in_config_maps_lose_their_passwords() -> None:
    text = "db:\n  host: db.shop.svc\n  password: kestrel\n"
    settings = {"kind": "ConfigMap", "data": {"application.yml": text, "SMTP_PASSWORD": "kestrel"}}

    assert redact_object(settings)["data"] == {
        "application.yml": "db:\n  host: db.shop.svc\n  password: ***\n",
        "SMTP_PASSWORD": "***",
    }
