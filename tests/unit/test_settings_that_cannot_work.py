"""Settings that cannot work are refused by name, before anything is asked of anybody."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sre_bot.settings import Settings


def settings(**given: Any) -> Settings:
    return Settings(_env_file=None, **given)  # pyright: ignore[reportCallIssue]  # pydantic-settings' own argument


@pytest.mark.parametrize("name", ["jira_url", "github_url", "argocd_url", "model_url"])
@pytest.mark.parametrize(
    "value", ["foo", "http://", "https:///api", "http://[::1", "http://host:port", "ftp://host", "http://a b", "//host"]
)
def test_what_is_no_web_address_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValidationError, match="not a web address; one looks like https://host") as caught:
        settings(**{name: value})
    assert [one["loc"] for one in caught.value.errors()] == [(name,)]


@pytest.mark.parametrize("value", ["", "http://127.0.0.1:8080", "https://[::1]:8443/x", "https://host/api/v3/"])
def test_a_web_address_or_none_is_taken(value: str) -> None:
    assert settings(argocd_url=value, model_url=value, data_dir=Path("x")).argocd_url == value


def test_a_deployment_must_be_given_more_time_than_it_has_to_settle() -> None:
    with pytest.raises(ValidationError, match="must be more than SETTLE_SECONDS") as caught:
        settings(settle_seconds=900)
    assert [one["loc"] for one in caught.value.errors()] == [("deployment_seconds",)]
    assert settings(settle_seconds=900, deployment_seconds=901).deployment_seconds == 901


def test_projects_are_written_as_jira_writes_them() -> None:
    assert settings(jira_projects="shop, Ops").jira_projects == ("SHOP", "OPS")
