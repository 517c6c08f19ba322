"""The Argo CD client against the lab: what it reads, what it starts."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sre_bot.domain.errors import ArgoCDError, Reason
from sre_bot.domain.release import Application
from sre_bot.lab.client import LabProcess
from sre_bot.tools.argocd import ArgoCD
from tests.running_labs import running_lab, until
from tests.small_incidents import deployment, service, text, wrong_port

CHECKOUT = "deploy/checkout.yaml"
REPAIRED = text(deployment("checkout"), service("checkout", "http"))


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncGenerator[LabProcess]:
    """A lab whose clock crawls, so that an operation is still running when a test looks; ``ended`` moves it on."""
    async with running_lab(wrong_port(), tmp_path, speed=0.1) as lab:
        yield lab


@pytest.fixture
def argocd(lab: LabProcess) -> ArgoCD:
    return ArgoCD(lab.environment["ARGOCD_URL"], lab.environment["ARGOCD_TOKEN"])


async def ended(lab: LabProcess, argocd: ArgoCD) -> Application:
    async def later() -> Application:
        await lab.control.advance(2)
        return await argocd.application("shop")

    await until(later, lambda shop: shop.operation_phase not in ("", "Running"))
    await lab.control.advance(5)
    return await until(later, lambda shop: shop.health != "Progressing")


async def test_an_application_is_read_with_all_its_fields(lab: LabProcess, argocd: ArgoCD) -> None:
    shop = await argocd.application("shop")
    assert (shop.name, shop.namespace, shop.path, shop.target_revision) == ("shop", "shop", "deploy", "main")
    assert shop.repository_url == f"{lab.environment['GITHUB_URL']}/acme/shop.git"
    assert (shop.sync_status, shop.health, shop.operation_phase, shop.auto_sync) == ("Synced", "Healthy", "", False)
    assert shop.deployed(shop.synced_revision) is False
    assert shop.reconciled_at
    assert shop.reconciled_at.utcoffset() == timedelta(0)
    assert await argocd.applications() == (shop,)


async def test_argo_cds_clock_is_the_incidents(argocd: ArgoCD) -> None:
    started = datetime(2026, 3, 17, 10, 20, tzinfo=UTC)
    assert timedelta(0) <= await argocd.server_time() - started < timedelta(minutes=2)


async def test_a_sync_is_followed_until_it_is_deployed(lab: LabProcess, argocd: ArgoCD) -> None:
    sha = (await lab.control.push("main", {CHECKOUT: REPAIRED}, "repair"))["sha"]
    assert (await argocd.application("shop", refresh=True)).sync_status == "OutOfSync"
    await argocd.sync("shop", sha)
    started = await argocd.application("shop")
    assert (started.operation_phase, started.operation_revision) == ("Running", sha)
    assert not started.deployed(sha)
    shop = await ended(lab, argocd)
    assert (shop.operation_phase, shop.operation_revision, shop.synced_revision) == ("Succeeded", sha, sha)
    assert shop.deployed(sha)


async def test_what_is_deployed_stays_deployed_when_the_branch_moves_on(lab: LabProcess, argocd: ArgoCD) -> None:
    sha = (await lab.control.push("main", {CHECKOUT: REPAIRED}, "repair"))["sha"]
    await argocd.sync("shop", sha)
    await ended(lab, argocd)
    await lab.control.push("main", {"README.md": "words only\n"}, "words")
    assert (await argocd.application("shop", refresh=True)).deployed(sha)
    await lab.control.push("main", {CHECKOUT: text(deployment("checkout", 1))}, "more")
    assert not (await argocd.application("shop", refresh=True)).deployed(sha)


async def test_a_running_operation_is_a_conflict(argocd: ArgoCD) -> None:
    await argocd.sync("shop", "main")
    with pytest.raises(ArgoCDError, match="another operation is already in progress") as error:
        await argocd.sync("shop", "main")
    assert error.value.reason is Reason.CONFLICT


async def test_a_failed_sync_says_why(lab: LabProcess, argocd: ArgoCD) -> None:
    sha = (await lab.control.push("main", {"deploy/bad.yaml": "a: b: c\n"}, "break"))["sha"]
    await argocd.sync("shop", sha)
    shop = await ended(lab, argocd)
    assert shop.operation_phase == "Error"
    assert shop.operation_message.startswith("ComparisonError: Failed to load target state")
    assert shop.sync_status == "Unknown"
    assert [condition.partition(":")[0] for condition in shop.conditions] == ["ComparisonError"]


async def test_a_rollback_goes_back_to_the_history(lab: LabProcess, argocd: ArgoCD) -> None:
    before = (await argocd.application("shop")).synced_revision
    sha = (await lab.control.push("main", {CHECKOUT: REPAIRED}, "repair"))["sha"]
    await argocd.sync("shop", sha)
    await ended(lab, argocd)
    await argocd.rollback("shop", 0)
    shop = await ended(lab, argocd)
    assert (shop.operation_phase, shop.synced_revision) == ("Succeeded", before)


async def test_a_rollback_is_a_conflict_while_auto_sync_is_on(tmp_path: Path) -> None:
    async with running_lab(wrong_port(), tmp_path, auto_sync=True) as lab:
        argocd = ArgoCD(lab.environment["ARGOCD_URL"], lab.environment["ARGOCD_TOKEN"])
        assert (await argocd.application("shop")).auto_sync
        with pytest.raises(ArgoCDError, match="auto-sync") as error:
            await argocd.rollback("shop", 0)
        assert error.value.reason is Reason.CONFLICT


async def test_an_unknown_revision_is_refused(argocd: ArgoCD) -> None:
    with pytest.raises(ArgoCDError, match="Unable to resolve 'nowhere'"):
        await argocd.sync("shop", "nowhere")
