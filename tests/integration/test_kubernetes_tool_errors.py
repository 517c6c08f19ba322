"""The bot's Kubernetes client when the cluster refuses, fails, lies or is not there."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sre_bot.domain.errors import BadSetting, ErrorType, KubernetesError, Reason
from sre_bot.lab.wire import Fault
from sre_bot.tools.kubernetes import Kubernetes
from tests.kubernetes_lab import Served, served, write_kubeconfig

SHOP = ("shop",)


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as serving:
        yield serving


def tool(lab: Served, *, timeout: float = 20.0, deadline: float = 180.0) -> Kubernetes:
    return Kubernetes(str(lab.kubeconfig), "lab", timeout=timeout, deadline=deadline)


async def failure(lab: Served, fault: Fault, *, timeout: float = 20.0) -> KubernetesError:
    lab.world.faults.append(fault)
    with pytest.raises(KubernetesError) as caught:
        await tool(lab, timeout=timeout).snapshot(SHOP)
    return caught.value


async def test_what_is_forbidden_is_named_and_the_rest_is_read(lab: Served) -> None:
    lab.world.forbidden |= {("", "nodes"), ("", "secrets"), ("", "pods/log"), ("", "events")}

    snapshot = await tool(lab).snapshot(SHOP)

    assert snapshot.unseen == (
        "events in shop: forbidden",
        "events of nodes: forbidden",
        "logs in shop: forbidden",
        "nodes: forbidden",
        "secrets in shop: forbidden",
    )
    assert "checkout" in {one["metadata"]["name"] for one in snapshot.objects if one["kind"] == "Deployment"}
    assert snapshot.logs == ()


async def test_forbidden_pods_are_an_error(lab: Served) -> None:
    lab.world.forbidden.add(("", "pods"))

    with pytest.raises(KubernetesError, match='cannot list resource "pods"') as caught:
        await tool(lab).snapshot(SHOP)

    assert caught.value.reason is Reason.NOT_AUTHORISED
    assert caught.value.error_type is ErrorType.NEEDS_HUMAN


async def test_a_wrong_token_is_not_authorised(lab: Served, tmp_path: Path) -> None:
    kubeconfig = write_kubeconfig(tmp_path / "wrong", lab.url, lab.certificate, "wrong")

    with pytest.raises(KubernetesError) as caught:
        await Kubernetes(str(kubeconfig), None).snapshot(SHOP)

    assert (caught.value.reason, caught.value.status) == (Reason.NOT_AUTHORISED, 401)


@pytest.mark.parametrize(
    ("fault", "reason", "status"),
    [
        (Fault("kubernetes", "status", path="/services$", status=500, body="boom"), Reason.UNAVAILABLE, 500),
        (Fault("kubernetes", "status", path="/apis$", status=404, body="{}"), Reason.NOT_FOUND, 404),
        (Fault("kubernetes", "status", path="/services$", status=200, body="<html>"), Reason.BAD_ANSWER, None),
        (Fault("kubernetes", "status", path="/services$", status=200, body="[1]"), Reason.BAD_ANSWER, None),
        (Fault("kubernetes", "status", path="/pods$", status=200, body='{"items": 3}'), Reason.BAD_ANSWER, None),
        (Fault("kubernetes", "truncate", path="/services$"), Reason.UNAVAILABLE, None),
        (Fault("kubernetes", "cut", path="/pods$"), Reason.UNAVAILABLE, None),
    ],
    ids=["500", "404", "html", "no object", "no list", "truncated", "cut"],
)
async def test_a_failing_server_is_a_named_error(lab: Served, fault: Fault, reason: Reason, status: int | None) -> None:
    error = await failure(lab, fault)

    assert (error.reason, error.status) == (reason, status)


async def test_a_server_that_is_too_busy_says_when_to_come_back(lab: Served) -> None:
    headers = {"Retry-After": "7"}
    error = await failure(lab, Fault("kubernetes", "status", path="/pods$", status=429, body="", headers=headers))

    assert (error.reason, error.retry_after, error.error_type) == (Reason.RATE_LIMITED, 7.0, ErrorType.RATE_LIMITED)


async def test_a_server_that_does_not_answer_in_time_is_unavailable(lab: Served) -> None:
    error = await failure(lab, Fault("kubernetes", "delay", path="/pods$", seconds=3.0), timeout=0.5)

    assert (error.reason, error.error_type) == (Reason.UNAVAILABLE, ErrorType.TRANSIENT)


async def test_a_snapshot_has_a_deadline_of_its_own(lab: Served) -> None:
    lab.world.faults.append(Fault("kubernetes", "delay", path="/pods$", seconds=3.0))

    with pytest.raises(KubernetesError, match=r"no complete snapshot within 0\.5 s") as caught:
        await tool(lab, deadline=0.5).snapshot(SHOP)

    assert caught.value.reason is Reason.UNAVAILABLE


async def test_nobody_at_the_address_is_unavailable(lab: Served, tmp_path: Path) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound, but nobody listens
        url = f"https://127.0.0.1:{reserved.getsockname()[1]}"
        kubeconfig = write_kubeconfig(tmp_path / "nobody", url, lab.certificate, "any")

        with pytest.raises(KubernetesError, match="no answer") as caught:
            await Kubernetes(str(kubeconfig), None).server_time()

    assert (caught.value.reason, caught.value.status) == (Reason.UNAVAILABLE, None)


async def test_a_certificate_that_nobody_vouches_for_is_refused(lab: Served, tmp_path: Path) -> None:
    kubeconfig = write_kubeconfig(tmp_path / "untrusting", lab.url, None, lab.world.token)

    with pytest.raises(KubernetesError, match="no answer"):
        await Kubernetes(str(kubeconfig), None).server_time()

    assert lab.world.log.requests == []


@pytest.mark.parametrize("content", [None, "", "clusters: [", "apiVersion: v1\nkind: Config\n", "- a list\n"])
async def test_a_kubeconfig_that_is_no_use_is_a_bad_setting(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "kubeconfig"
    if content is not None:
        file.write_text(content)

    with pytest.raises(BadSetting, match="kubeconfig"):
        await Kubernetes(str(file), None).server_time()


async def test_a_context_that_does_not_exist_is_a_bad_setting(lab: Served) -> None:
    with pytest.raises(BadSetting, match="nope"):
        await Kubernetes(str(lab.kubeconfig), "nope").server_time()


async def test_a_log_that_its_node_cannot_give_is_unseen_not_fatal(lab: Served) -> None:
    body = '{"kind": "Status", "message": "dial tcp 10.0.0.11:10250: connect: connection refused"}'
    lab.world.faults.append(Fault("kubernetes", "status", path="cart-0/log", status=502, body=body, times=-1))

    snapshot = await tool(lab).snapshot(SHOP)

    (note,) = snapshot.unseen
    assert note.startswith("log of shop/cart-0, container proxy: ")
    assert "10.0.0.11:10250: connect: connection refused" in note
    assert len(snapshot.logs) > 0


async def test_a_custom_api_that_is_broken_is_unseen_not_fatal(lab: Served) -> None:
    body = '{"message": "conversion webhook failed"}'
    lab.world.faults.append(Fault("kubernetes", "status", path="/httproutes$", status=500, body=body))

    snapshot = await tool(lab).snapshot(SHOP)

    assert len(snapshot.unseen) == 1
    assert snapshot.unseen[0].startswith("httproutes.gateway.networking.k8s.io in shop: ")
    assert "conversion webhook failed" in snapshot.unseen[0]


async def test_a_namespace_is_found_or_not(lab: Served) -> None:
    assert await tool(lab).namespace_exists("shop")
    assert not await tool(lab).namespace_exists("nope")


async def test_a_namespace_whose_pods_may_be_listed_counts_as_there(lab: Served) -> None:
    lab.world.forbidden.add(("", "namespaces"))

    assert await tool(lab).namespace_exists("shop")


async def test_a_namespace_that_may_not_be_read_at_all_is_an_error(lab: Served) -> None:
    lab.world.forbidden |= {("", "namespaces"), ("", "pods")}

    with pytest.raises(KubernetesError) as caught:
        await tool(lab).namespace_exists("shop")

    assert caught.value.reason is Reason.NOT_AUTHORISED


async def test_an_empty_cluster_is_an_empty_snapshot(lab: Served) -> None:
    snapshot = await tool(lab).snapshot(("nope",))

    assert not [one for one in snapshot.objects if one["metadata"].get("namespace") == "nope"]
    assert snapshot.unseen == ("namespace nope: not found",)
