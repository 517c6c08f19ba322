"""What the Jira client says when Jira misbehaves, and that it never writes twice."""

from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass

import pytest

from sre_bot.domain.errors import ErrorType, JiraError, Reason
from sre_bot.lab.client import LabAddress, LabControl
from sre_bot.tools.jira import Jira
from tests.running_labs import new_project, shared_lab
from tests.small_incidents import wrong_port


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Generator[LabAddress]:
    with shared_lab(wrong_port(), tmp_path_factory.mktemp("lab")) as running:
        yield running


@dataclass(frozen=True)
class Filed:
    """A ticket of the test's own, and what goes wrong with it."""

    lab: LabAddress
    control: LabControl
    key: str

    def client(self, *, user: str = "sre-bot", token: str = "", timeout: float = 5.0) -> Jira:
        return Jira(self.lab.urls["jira"], user, token or self.lab.token, cloud=False, timeout=timeout)

    async def fault(self, kind: str, *, comments: bool = False, **fault: object) -> None:
        path = f"issue/{self.key}{'/comment' if comments else ''}$"
        await self.control.add_fault("jira", kind, path=path, **fault)

    async def failure(self, jira: Jira) -> JiraError:
        with pytest.raises(JiraError) as caught:
            await jira.ticket(self.key)
        return caught.value

    async def asked(self, method: str, end: str = "") -> int:
        requests = await self.control.requests("jira")
        return sum(one["method"] == method and one["path"].endswith(f"{self.key}{end}") for one in requests)


@pytest.fixture
async def filed(lab: LabAddress) -> AsyncGenerator[Filed]:
    control = LabControl(lab)
    yield Filed(lab, control, await control.create_ticket(key=f"{new_project()}-1"))
    await control.close()


@pytest.mark.parametrize(
    ("status", "reason", "error_type"),
    [
        (401, Reason.NOT_AUTHORISED, ErrorType.NEEDS_HUMAN),
        (403, Reason.NOT_AUTHORISED, ErrorType.NEEDS_HUMAN),
        (404, Reason.NOT_FOUND, ErrorType.NEEDS_HUMAN),
        (409, Reason.CONFLICT, ErrorType.CONFLICT),
        (500, Reason.UNAVAILABLE, ErrorType.TRANSIENT),
        (503, Reason.UNAVAILABLE, ErrorType.TRANSIENT),
    ],
)
async def test_each_status_has_its_reason(filed: Filed, status: int, reason: Reason, error_type: ErrorType) -> None:
    body = '{"errorMessages": ["so it is"], "errors": {}}'
    await filed.fault("status", status=status, body=body)
    error = await filed.failure(filed.client())
    assert (error.reason, error.status, error.error_type) == (reason, status, error_type)
    assert "so it is" in str(error)
    assert filed.key in str(error)


async def test_a_rate_limit_says_how_long_and_is_not_waited_for(filed: Filed) -> None:
    headers = {"Retry-After": "17"}
    await filed.fault("status", status=429, headers=headers, times=-1)
    error = await filed.failure(filed.client())
    assert (error.reason, error.retry_after) == (Reason.RATE_LIMITED, 17.0)
    assert await filed.asked("GET") == 1


@pytest.mark.parametrize(("user", "token"), [("sre-bot", "wrong"), ("stranger", ""), ("", "wrong")])
async def test_wrong_credentials_are_not_authorised(filed: Filed, user: str, token: str) -> None:
    assert (await filed.failure(filed.client(user=user, token=token))).reason is Reason.NOT_AUTHORISED


async def test_a_read_over_a_broken_connection_is_tried_once_more(filed: Filed) -> None:
    await filed.fault("cut")
    assert (await filed.client().ticket(filed.key)).key == filed.key
    await filed.fault("cut", times=2)
    assert (await filed.failure(filed.client())).reason is Reason.UNAVAILABLE


async def test_nothing_there_is_unavailable(filed: Filed) -> None:
    error = await filed.failure(Jira("http://127.0.0.1:1", "u", "t", cloud=False, timeout=2))
    assert (error.reason, error.status) == (Reason.UNAVAILABLE, None)


async def test_a_slow_answer_is_unavailable(filed: Filed) -> None:
    await filed.fault("delay", seconds=30)
    assert (await filed.failure(filed.client(timeout=0.3))).reason is Reason.UNAVAILABLE


async def test_half_an_answer_is_a_bad_answer(filed: Filed) -> None:
    await filed.fault("truncate")
    error = await filed.failure(filed.client())
    assert (error.reason, error.error_type) == (Reason.BAD_ANSWER, ErrorType.TRANSIENT)


@pytest.mark.parametrize("body", ["<html>Log in</html>", "[]", "{}", '{"key": "X-1", "fields": {}}', "null", '"x"'])
async def test_another_shape_is_a_bad_answer(filed: Filed, body: str) -> None:
    await filed.fault("status", status=200, body=body)
    assert (await filed.failure(filed.client())).reason is Reason.BAD_ANSWER


async def test_an_answer_without_a_date_cannot_tell_the_time(filed: Filed) -> None:
    await filed.control.add_fault("jira", "status", path="serverInfo", status=200, body="{}", headers={"Date": "soon"})
    with pytest.raises(JiraError) as caught:
        await filed.client().server_time()
    assert caught.value.reason is Reason.BAD_ANSWER


@pytest.mark.parametrize("kind", ["cut", "timeout_performed", "truncate"])
async def test_a_write_is_never_repeated(filed: Filed, kind: str) -> None:
    await filed.fault(kind, comments=True, method="POST")
    jira = filed.client()
    with pytest.raises(JiraError) as caught:
        await jira.add_comment(filed.key, "once", "mark")
    assert caught.value.reason in (Reason.UNAVAILABLE, Reason.BAD_ANSWER)
    assert await filed.asked("POST", "/comment") == 1
    assert (await jira.find_comment(filed.key, "mark") is not None) == (kind != "cut")


async def test_an_unavailable_write_is_sent_once(filed: Filed) -> None:
    await filed.fault("status", comments=True, method="POST", status=503, times=-1)
    with pytest.raises(JiraError):
        await filed.client().add_comment(filed.key, "once", "mark")
    assert await filed.asked("POST", "/comment") == 1


async def test_a_deleted_ticket_is_not_found(filed: Filed) -> None:
    jira = filed.client()
    await jira.ticket(filed.key)
    await filed.control.delete_ticket(filed.key)
    for action in (
        jira.ticket(filed.key),
        jira.add_comment(filed.key, "x", "y"),
        jira.move(filed.key, "Done"),
        jira.comments(filed.key),
    ):
        with pytest.raises(JiraError) as caught:
            await action
        assert caught.value.reason is Reason.NOT_FOUND
