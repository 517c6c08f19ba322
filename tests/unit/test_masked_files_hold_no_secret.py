"""Files of a repository without their secrets: nothing else changes, and manifests stay manifests."""

import base64

import pytest
import yaml

from sre_bot.repair.masking import masked

PASSWORD = "hunter2Password9"
SECRET = f"""# the database
apiVersion: v1
kind: Secret
metadata:
  name: db   # by hand
data:
  password: {base64.b64encode(PASSWORD.encode()).decode()}
  tls.key: |
    TFMwdExTMUNSVWRKVGlCU1UwRWdVRkpKVmtGVVJTQkxSVmt0TFMwdExR
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: api
spec:
  template:
    spec:
      containers:
      - name: api
        image: acme/api:1.4   # pinned
        env:
        - name: DB_PASSWORD
          value: {PASSWORD}
        - name: DB_HOST
          value: db.shop.svc
        - name: DB_URL
          value: postgres://api:{PASSWORD}@db.shop.svc:5432/shop
"""


def test_a_manifest_loses_its_secrets_and_nothing_else() -> None:
    text = masked(SECRET)
    secret, deployment = yaml.safe_load_all(text)
    env = {one["name"]: one["value"] for one in deployment["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert PASSWORD not in text
    assert base64.b64encode(PASSWORD.encode()).decode() not in text
    assert "TFMwdExT" not in text
    assert set(secret["data"]) == {"password", "tls.key"}
    assert (env["DB_PASSWORD"], env["DB_HOST"]) == ("***", "db.shop.svc")
    assert env["DB_URL"].endswith("@db.shop.svc:5432/shop")
    assert "# the database" in text
    assert "image: acme/api:1.4   # pinned" in text


@pytest.mark.parametrize(
    "text",
    [
        "FROM python:3.12\nRUN pip install .\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  PORT: '8080'   # as ever\n",
        "def total(items):\n    return sum(items)\n",
        "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - envFrom: [{secretRef: {name: db-credentials}}]\n",
    ],
)
def test_a_text_without_secrets_is_left_as_it_is(text: str) -> None:
    assert masked(text) == text


def test_a_masked_value_still_parses_in_a_file_that_is_no_manifest() -> None:
    text = masked(f"db:\n  host: db\n  password: {PASSWORD}\n")
    assert yaml.safe_load(text) == {"db": {"host": "db", "password": "***"}}


def test_a_template_of_a_secret_that_cannot_be_read_is_left_out_whole() -> None:
    assert masked("apiVersion: v1\nkind: Secret\ndata:\n  a: {{ .Values.a }}\n  b: cGFzc3dvcmQxMjM0\n") == ""


def test_masking_twice_changes_nothing_more() -> None:
    assert masked(masked(SECRET)) == masked(SECRET)
