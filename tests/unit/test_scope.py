from datetime import UTC, datetime
from typing import Any

import pytest

from sre_bot.domain.release import Application
from sre_bot.domain.scope import Allowed, candidates, host_of, repository_of, resolve
from sre_bot.domain.ticket import Scope, Ticket

ALLOWED = Allowed(
    projects=("OPS",),
    repositories=("acme/shop", "acme/bank"),
    namespaces=("shop", "bank", "shared"),
    applications=("shop", "bank"),
)


def application(name: str, **changes: Any) -> Application:
    given: dict[str, Any] = {
        "name": name,
        "namespace": name,
        "repository_url": f"https://github.com/acme/{name}.git",
        "path": "deploy",
        "target_revision": "main",
    }
    return Application(**{**given, **changes})


def ticket(text: str, labels: tuple[str, ...] = ()) -> Ticket:
    when = datetime(2026, 1, 1, tzinfo=UTC)
    return Ticket(
        key="OPS-1",
        project="OPS",
        summary=text,
        description="",
        status="To Do",
        priority="High",
        assignee="sre-bot",
        labels=labels,
        created=when,
        updated=when,
    )


BOTH = candidates(ALLOWED, [application("shop"), application("bank")])


def test_an_application_brings_its_repository_its_folder_and_the_namespaces_that_nobody_deploys_to() -> None:
    scope = resolve(ticket("the shop is down"), BOTH)
    assert scope == Scope(
        namespaces=("shop", "shared"), repository="acme/shop", branch="main", application="shop", path="deploy"
    )


@pytest.mark.parametrize("label", ["bank", "app:bank", "namespace:bank", "App:Bank"])
def test_a_label_decides_against_the_words_of_the_text(label: str) -> None:
    scope = resolve(ticket("the shop is down", (label,)), BOTH)
    assert isinstance(scope, Scope)
    assert scope.application == "bank"


@pytest.mark.parametrize("text", ["customers are angry", "shop and bank are down"])
def test_a_ticket_that_does_not_decide_is_asked_back_with_the_choices(text: str) -> None:
    refusal = resolve(ticket(text), BOTH)
    assert isinstance(refusal, str)
    assert "shop" in refusal
    assert "bank" in refusal


@pytest.mark.parametrize("label", ["app:payroll", "namespace:nowhere", "Namespace:Nowhere"])
def test_a_label_that_names_nothing_of_ours_is_told_and_not_passed_over(label: str) -> None:
    refusal = resolve(ticket("the shop is down", (label,)), candidates(ALLOWED, [application("shop")]))
    assert isinstance(refusal, str)
    assert label.lower() in refusal
    assert refusal.endswith("I may touch: shop")


def test_a_label_may_name_a_namespace_that_nobody_deploys_to() -> None:
    scope = resolve(ticket("something is down", ("namespace:shared",)), candidates(ALLOWED, [application("shop")]))
    assert isinstance(scope, Scope)
    assert "shared" in scope.namespaces


def test_the_only_application_need_not_be_named() -> None:
    scope = resolve(ticket("customers are angry"), candidates(ALLOWED, [application("shop")]))
    assert isinstance(scope, Scope)
    assert scope.application == "shop"


def test_an_application_of_another_repository_is_diagnosed_and_not_repaired() -> None:
    other = application("shop", repository_url="https://github.com/evil/shop")
    scope = resolve(ticket("x"), candidates(ALLOWED, [other]))
    assert isinstance(scope, Scope)
    assert (scope.repository, scope.application) == ("", "")


@pytest.mark.parametrize(
    ("api", "url"),
    [
        ("https://api.github.com", "https://gitlab.internal/acme/shop"),
        ("https://api.github.com", "git@bitbucket.org:acme/shop.git"),
        ("https://api.github.com", "ssh://git@gitlab.internal:22/acme/shop.git"),
        ("https://api.github.com", "https://github.com.evil.org/acme/shop"),
        ("https://api.github.com", "https://github.com@evil.org/acme/shop"),
        ("https://api.github.com", "https://github.com:8443/acme/shop"),
        ("https://api.github.com", "http://[::1/acme/shop"),
        ("https://api.github.com", "file:///srv/github.com/acme/shop"),
        ("https://git.acme.internal/api/v3", "https://github.com/acme/shop"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:9090/acme/shop"),
    ],
)
def test_a_repository_of_the_same_name_elsewhere_is_not_ours_to_change(api: str, url: str) -> None:
    allowed = ALLOWED.model_copy(update={"host": host_of(api)})
    scope = resolve(ticket("x"), candidates(allowed, [application("shop", repository_url=url)]))
    assert isinstance(scope, Scope)
    assert (scope.repository, scope.application) == ("", "")


@pytest.mark.parametrize(
    ("api", "url"),
    [
        ("https://api.github.com", "https://github.com/acme/shop.git"),
        ("https://api.github.com/", "https://x-access-token:secret@GitHub.com:443/acme/shop"),
        ("https://api.github.com", "git@github.com:acme/shop.git"),
        ("https://api.github.com", "ssh://git@ssh.github.com:443/acme/shop.git"),
        ("https://api.acme.ghe.com", "https://acme.ghe.com/acme/shop"),
        ("https://git.acme.internal/api/v3", "https://git.acme.internal/acme/shop"),
        ("https://git.acme.internal:8443/api/v3", "https://git.acme.internal:8443/acme/shop"),
        ("https://git.acme.internal:8443/api/v3", "ssh://git@git.acme.internal:2222/acme/shop"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/acme/shop.git"),
    ],
)
def test_the_repository_of_our_github_is_known_by_any_of_its_addresses(api: str, url: str) -> None:
    allowed = ALLOWED.model_copy(update={"host": host_of(api)})
    scope = resolve(ticket("x"), candidates(allowed, [application("shop", repository_url=url)]))
    assert isinstance(scope, Scope)
    assert (scope.repository, scope.application) == ("acme/shop", "shop")


def test_an_application_that_is_not_open_to_us_does_not_exist_for_us() -> None:
    assert candidates(ALLOWED, [application("payroll", namespace="shop")]) == candidates(ALLOWED, [])


def test_without_an_application_each_namespace_is_looked_at_by_itself() -> None:
    scope = resolve(ticket("shared feels slow"), candidates(ALLOWED, []))
    assert scope == Scope(namespaces=("shared",))


def test_nothing_open_means_nothing_taken() -> None:
    assert isinstance(resolve(ticket("x"), candidates(Allowed(), [])), str)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://github.com/acme/shop.git", "acme/shop"),
        ("https://github.com/acme/shop/", "acme/shop"),
        ("git@github.com:acme/shop.git", "acme/shop"),
        ("http://127.0.0.1:8080/acme/shop.git", "acme/shop"),
        ("oci://registry", ""),
    ],
)
def test_a_repository_is_read_from_its_url(url: str, name: str) -> None:
    assert repository_of(url) == name
