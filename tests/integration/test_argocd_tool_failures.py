"""What the Argo CD client says when Argo CD misbehaves, and that it never writes twice."""

from collections.abc import AsyncGenerator, Generator

import pytest

from sre_bot.domain.errors import ArgoCDError, ErrorType, Reason
from sre_bot.lab.client import LabAddress, LabControl
from sre_bot.tools.argocd import ArgoCD
from tests.running_labs import shared_lab
from tests.small_incidents import wrong_port

SHOP = "applications/shop$"
SYNC = "applications/shop/sync$"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Generator[LabAddress]:
    with shared_lab(wrong_port(), tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture
async def control(lab: LabAddress) -> AsyncGenerator[LabControl]:
    control = LabControl(lab)
    yield control
    await control.clear_faults()
    await control.close()


def client(lab: LabAddress, token: str = "", timeout: float = 5.0) -> ArgoCD:
    return ArgoCD(lab.urls["argocd"], token or lab.token, timeout=timeout)


async def failure(argocd: ArgoCD) -> ArgoCDError:
    with pytest.raises(ArgoCDError) as caught:
        await argocd.application("shop")
    return caught.value


async def asked(control: LabControl, method: str) -> int:
    return sum(one["method"] == method and one["path"].endswith("/sync") for one in await control.requests("argocd"))


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, Reason.NOT_AUTHORISED),
        (403, Reason.NOT_AUTHORISED),
        (404, Reason.NOT_FOUND),
        (429, Reason.RATE_LIMITED),
        (500, Reason.UNAVAILABLE),
        (502, Reason.UNAVAILABLE),
    ],
)
async def test_each_status_has_its_reason(lab: LabAddress, control: LabControl, status: int, reason: Reason) -> None:
    body = '{"error": "so it is", "code": 2, "message": "so it is"}'
    headers = {"Retry-After": "9"}
    await control.add_fault("argocd", "status", path=SHOP, status=status, body=body, headers=headers)
    error = await failure(client(lab))
    assert (error.status, "so it is" in str(error)) == (status, True)
    expected = Reason.RATE_LIMITED if status == 403 else reason
    assert error.reason is expected
    assert error.retry_after == 9.0


async def test_a_missing_application_looks_forbidden(lab: LabAddress) -> None:
    with pytest.raises(ArgoCDError, match="permission denied") as caught:
        await client(lab).application("no-such-app")
    assert (caught.value.reason, caught.value.status) == (Reason.NOT_AUTHORISED, 403)


async def test_a_wrong_token_is_not_authorised(lab: LabAddress) -> None:
    assert (await failure(client(lab, token="wrong"))).reason is Reason.NOT_AUTHORISED


async def test_a_read_over_a_broken_connection_is_tried_once_more(lab: LabAddress, control: LabControl) -> None:
    await control.add_fault("argocd", "cut", path=SHOP)
    assert (await client(lab).application("shop")).name == "shop"
    await control.add_fault("argocd", "cut", path=SHOP, times=2)
    assert (await failure(client(lab))).reason is Reason.UNAVAILABLE


async def test_nothing_there_is_unavailable() -> None:
    error = await failure(ArgoCD("http://127.0.0.1:1", "t", timeout=2))
    assert (error.reason, error.error_type, error.status) == (Reason.UNAVAILABLE, ErrorType.TRANSIENT, None)


async def test_a_slow_answer_is_unavailable(lab: LabAddress, control: LabControl) -> None:
    await control.add_fault("argocd", "delay", path=SHOP, seconds=30)
    assert (await failure(client(lab, timeout=0.3))).reason is Reason.UNAVAILABLE


async def test_half_an_answer_is_a_bad_answer(lab: LabAddress, control: LabControl) -> None:
    await control.add_fault("argocd", "truncate", path=SHOP, times=2)
    assert (await failure(client(lab))).reason is Reason.BAD_ANSWER


@pytest.mark.parametrize("body", ["<html></html>", "[]", "{}", "null", '{"metadata": {"name": "x"}, "spec": []}'])
async def test_another_shape_is_a_bad_answer(lab: LabAddress, control: LabControl, body: str) -> None:
    await control.add_fault("argocd", "status", path=SHOP, status=200, body=body)
    assert (await failure(client(lab))).reason is Reason.BAD_ANSWER


@pytest.mark.parametrize("kind", ["cut", "timeout_performed"])
async def test_a_sync_is_never_sent_twice(lab: LabAddress, control: LabControl, kind: str) -> None:
    before = await asked(control, "POST")
    await control.add_fault("argocd", kind, path=SYNC)
    with pytest.raises(ArgoCDError) as caught:
        await client(lab).sync("shop", "main")
    assert caught.value.reason is Reason.UNAVAILABLE
    assert await asked(control, "POST") == before + 1
