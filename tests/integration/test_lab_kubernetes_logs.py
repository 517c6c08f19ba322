"""Container logs from the lab's Kubernetes API: what part, of which run, and why there is none."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from sre_bot.domain.cluster import ContainerLog
from sre_bot.lab.recording import Recording
from sre_bot.lab.world import World
from tests.kubernetes_lab import SHOP, client

HEALTHY = "checkout-5d9c7f8b6d-4tzlq"
CRASHING = "checkout-5d9c7f8b6d-9wkrm"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.of(Recording.load(SHOP), tmp_path)


@pytest.fixture
async def api(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with client(world, world.token) as connected:
        yield connected


async def log(api: httpx.AsyncClient, pod: str, **parameters: str) -> httpx.Response:
    return await api.get(f"/api/v1/namespaces/shop/pods/{pod}/log", params=parameters)


async def lines(api: httpx.AsyncClient, **parameters: str) -> list[str]:
    response = await log(api, HEALTHY, container="checkout", **parameters)
    assert response.status_code == 200, response.text
    return response.text.splitlines()


async def test_a_log_is_plain_text(api: httpx.AsyncClient) -> None:
    response = await log(api, HEALTHY)

    assert response.headers["content-type"].startswith("text/plain")
    assert response.text.startswith("2026-02-01T09:41:07Z INFO listening on :5050\n")


async def test_the_tail_is_the_end_of_the_log(api: httpx.AsyncClient) -> None:
    assert await lines(api, tailLines="1") == ["2026-02-03T09:40:50Z INFO GET /checkout 200 14ms"]
    assert await lines(api, tailLines="0") == []


async def test_lines_since_a_moment_keep_undated_lines_with_the_line_before_them(api: httpx.AsyncClient) -> None:
    recent = await lines(api, sinceSeconds="60")

    assert recent == await lines(api, sinceTime="2026-02-03T09:40:10Z")
    assert [line.split()[0] for line in recent] == ["2026-02-03T09:40:30Z", "at", "2026-02-03T09:40:50Z"]


async def test_timestamps_stand_before_every_line(api: httpx.AsyncClient) -> None:
    stamped = await lines(api, timestamps="true", tailLines="2")

    assert [line.split(" ", 1)[0] for line in stamped] == [
        "2026-02-03T09:40:30.000000000Z",
        "2026-02-03T09:40:50.000000000Z",
    ]


async def test_limit_bytes_cuts_the_end_off(api: httpx.AsyncClient) -> None:
    assert (await log(api, HEALTHY, limitBytes="10")).text == "2026-02-01"


async def test_binary_logs_come_back_byte_for_byte(api: httpx.AsyncClient) -> None:
    response = await log(api, "cart-0", container="proxy")

    assert response.content == b"proxy \xff\xfe ready\nbinary \x00 zero\n"


async def test_the_previous_run_is_chosen_by_the_flag(world: World, api: httpx.AsyncClient) -> None:
    world.cluster.put_log(ContainerLog(namespace="shop", pod=CRASHING, container="checkout", text="now\n"))

    assert (await log(api, CRASHING)).text == "now\n"
    assert (await log(api, CRASHING, previous="true")).text.startswith("starting checkout")


async def test_a_container_in_back_off_shows_its_last_run(api: httpx.AsyncClient) -> None:
    assert (await log(api, CRASHING)).text == (await log(api, CRASHING, previous="true")).text


async def test_a_pod_that_no_node_has_taken_has_an_empty_log(api: httpx.AsyncClient) -> None:
    response = await log(api, "batch-import")

    assert (response.status_code, response.text) == (200, "")


@pytest.mark.parametrize(
    ("pod", "parameters", "message"),
    [
        (
            "cart-0",
            {"container": "cart"},
            'container "cart" in pod "cart-0" is waiting to start: trying and failing to pull image',
        ),
        (
            HEALTHY,
            {"previous": "true"},
            f'previous terminated container "checkout" in pod "{HEALTHY}" not found',
        ),
        ("cart-0", {}, "a container name must be specified for pod cart-0, choose one of: [cart proxy]"),
        ("cart-0", {"container": "nope"}, "container nope is not valid for pod cart-0"),
        (HEALTHY, {"tailLines": "few"}, 'strconv.ParseInt: parsing "few": invalid syntax'),
    ],
)
async def test_a_log_that_cannot_be_shown_says_why(
    api: httpx.AsyncClient, pod: str, parameters: dict[str, str], message: str
) -> None:
    response = await log(api, pod, **parameters)

    assert response.status_code == 400
    assert response.json()["message"] == message


async def test_the_log_of_a_missing_pod_is_not_found(api: httpx.AsyncClient) -> None:
    response = await log(api, "nope")

    assert (response.status_code, response.json()["message"]) == (404, 'pods "nope" not found')
