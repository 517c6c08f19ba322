"""Bad input: each ends in a named state with a sentence on the ticket, and nothing is lost, held or told twice."""

from pathlib import Path

import pytest

from sre_bot.evals.harness import staged
from tests.bad_input_stage import (
    INCIDENT,
    PACE,
    aftermath,
    damaged,
    followed,
    keep_only,
    reviewing,
    run_once,
    worked,
)

MALFORMED = "kind: [unclosed\n  - {{ .Values.nothing }}\n"
FAULTY = "deploy/slots.yaml"


async def test_a_ticket_that_cannot_be_worked_on_is_told_why_and_handed_back(postgres: str) -> None:
    async with staged(INCIDENT, postgres, PACE) as stage:
        file = stage.lab.control.create_ticket
        rejected = {
            "it has no text": await worked(stage, await file(key="SHOP-1", summary="  ", description=" \n")),
            "'namespace:nowhere'": await worked(stage, await file(key="SHOP-2", labels=["namespace:nowhere"])),
            "'app:payroll'": await worked(stage, await file(key="SHOP-3", labels=["app:payroll"])),
        }
        taken = await worked(stage, await file(key="SHOP-4", assignee="dreyes"))
    for why, end in rejected.items():
        end.check()
        assert end.outcome == "ticket_rejected"
        assert end.errors == ()
        assert len(end.comments) == 1
        assert end.told.startswith("I cannot take this ticket: ")
        assert why in end.told
        assert end.assignee is None
    taken.check()
    assert taken.comments == ("I cannot take this ticket: it is not assigned to me.",)
    assert taken.assignee == "dreyes", "nobody takes it off somebody else"


@pytest.mark.parametrize("text", ["\0", "{code}[~admin] %00 ../../etc/passwd {{ 7 * 7 }}\x1b[31m", "x" * 2_000_000])
async def test_a_ticket_may_say_anything(text: str, postgres: str) -> None:
    async with staged(INCIDENT, postgres, PACE, fix_threshold=1.0) as stage:
        key = await stage.lab.control.create_ticket(key="SHOP-1", summary=f"Orders {text[:200]}", description=text)
        end = await worked(stage, key)
    end.check()
    assert end.outcome == "needs_human"
    assert end.errors == ()
    assert len(end.comments) == 2


async def test_a_ticket_that_does_not_exist_or_is_deleted_ends_without_a_word(postgres: str) -> None:
    async with staged(INCIDENT, postgres, PACE) as stage:
        unknown = await worked(stage, "SHOP-999")
        waiting = await reviewing(stage)
        await stage.lab.control.delete_ticket(stage.lab.ticket)
        await stage.lab.control.review(1, "approve")
        deleted = await followed(stage, waiting.state.workflow_id)
    unknown.check()
    assert unknown.outcome == "ticket_rejected"
    assert unknown.state.context["rejected_because"] == "it does not exist, or I may not see it"
    deleted.check()
    assert deleted.outcome == "resolved"
    assert deleted.errors == ()
    assert deleted.pulls[0]["merged"]
    assert {one["status"] for one in deleted.effects} == {"done"}


async def test_an_unknown_namespace_is_named_to_the_ticket(postgres: str) -> None:
    async with staged(INCIDENT, postgres, PACE, namespaces=("nowhere",)) as stage:
        end = await worked(stage)
    end.check()
    assert end.outcome == "escalated"
    assert end.error[0] == "needs_human"
    assert end.error[1].startswith("Kubernetes: there is no namespace 'nowhere'; check the settings that name it")
    assert end.error[1] in end.told
    assert len(end.comments) == 2
    assert end.assignee is None


async def test_an_empty_cluster_is_a_matter_for_a_person_and_not_health(postgres: str, tmp_path: Path) -> None:
    incident = damaged(tmp_path, keep_only("Namespace", "Node"))
    async with staged(incident, postgres, PACE, namespaces=("plumtree",)) as stage:
        end = await worked(stage)
    end.check()
    assert end.outcome == "needs_human"
    assert "neither faults nor workloads" in end.told
    assert "A person should take over" in end.told
    assert end.pulls == ()


async def test_a_repository_that_nothing_can_be_deployed_from_is_told_and_once_mended_the_ticket_is_resolved(
    postgres: str,
) -> None:
    deploy: dict[str, str | None] = {f"deploy/{file.name}": None for file in (INCIDENT / "repo" / "deploy").iterdir()}
    async with staged(INCIDENT, postgres, PACE) as stage:
        push, file = stage.lab.control.push, stage.lab.control.create_ticket
        good = (await push("main", {"README.md": "The shop.\n"}, "Say what it is"))["sha"]
        await push("main", {"deploy/zz.yaml": MALFORMED}, "Add half a file")
        malformed = await worked(stage)
        await push("main", {**deploy, "deploy/zz.yaml": None}, "Move the manifests elsewhere")
        without = await worked(stage, await file(key="SHOP-1", summary="Still broken"))
        await push("main", {}, "Take it all back", force=True, base=good)
        waiting = await reviewing(stage, await file(key="SHOP-2", summary="And still"))
        await stage.lab.control.review(1, "approve")
        mended = await followed(stage, waiting.state.workflow_id)
    for end in (malformed, without, mended):
        end.check()
    assert (malformed.outcome, without.outcome, mended.outcome) == ("needs_human", "needs_human", "resolved")
    assert "while a manifest is malformed (deploy/zz.yaml, line " in malformed.told
    assert "the folder 'deploy' of plumtree/shop-delivery holds no manifests" in without.told
    assert "Service slots sends traffic to port 8080" in without.told, "the cause is told all the same"
    assert [pull["number"] for pull in mended.pulls] == [1]


async def test_while_argo_cd_cannot_read_the_manifests_an_approved_fix_waits_to_be_merged(postgres: str) -> None:
    async with staged(INCIDENT, postgres, PACE) as stage:
        waiting = await reviewing(stage)
        workflow_id = waiting.state.workflow_id
        await stage.lab.control.push("main", {"deploy/zz.yaml": MALFORMED}, "Add half a file")
        await stage.lab.control.review(1, "approve")
        await run_once(stage, workflow_id)
        stuck = await aftermath(stage, workflow_id)
        await stage.lab.control.push("main", {"deploy/zz.yaml": None}, "Remove it")
        end = await followed(stage, workflow_id)
    assert stuck.state.detailed_state == "retry"
    assert stuck.error[0] == "transient"
    assert stuck.error[1].startswith("Argo CD: 'shop' cannot be deployed as long as it says: ComparisonError")
    assert "zz.yaml" in stuck.error[1]
    assert not stuck.pulls[0]["merged"]
    end.check()
    assert end.outcome == "resolved"


async def test_a_base_branch_that_is_rewritten_under_a_pull_request_still_takes_the_fix(postgres: str) -> None:
    async with staged(INCIDENT, postgres, PACE) as stage:
        waiting = await reviewing(stage)
        await stage.lab.control.push("main", {"NOTES.md": "Rewritten.\n"}, "Rewrite the last commit", force=True)
        await stage.lab.control.review(1, "approve")
        end = await followed(stage, waiting.state.workflow_id)
    end.check()
    assert end.outcome == "resolved"
    assert end.errors == ()


async def test_a_base_branch_that_is_rewritten_against_the_fix_is_told_and_nothing_is_merged(postgres: str) -> None:
    async with staged(INCIDENT, postgres, PACE) as stage:
        waiting = await reviewing(stage)
        files: dict[str, str | None] = {FAULTY: (INCIDENT / "repo" / FAULTY).read_text().replace("8000", "9999")}
        await stage.lab.control.push("main", files, "Rewrite the ports", force=True)
        await stage.lab.control.review(1, "approve")
        end = await followed(stage, waiting.state.workflow_id)
    end.check()
    assert end.outcome == "deployment_failed"
    assert "nobody has reviewed the result" in end.told
    assert "Nothing was merged" in end.told
    assert not end.pulls[0]["merged"]
    assert end.assignee is None


async def test_a_pull_request_that_a_person_closes_is_a_rejected_fix_and_one_that_a_person_merges_is_deployed(
    postgres: str,
) -> None:
    async with staged(INCIDENT, postgres, PACE) as stage:
        first = await reviewing(stage)
        await stage.lab.control.add_fault("github", "status", status=404, path="/pulls/1$")
        unreadable = await stage.app.monitors.review_activity()
        await stage.lab.control.close_pull(1)
        closed = await followed(stage, first.state.workflow_id)
        again = await stage.lab.control.create_ticket(key="SHOP-1", summary="Still broken")
        second = await reviewing(stage, again)
        sha = (await stage.lab.control.merge_pull(2))["sha"]
        merged = await followed(stage, second.state.workflow_id)
        requests = await stage.lab.control.requests("github")
    assert unreadable == 0, "a pull request that cannot be read keeps nobody from looking at the others"
    closed.check()
    assert closed.outcome == "fix_rejected"
    assert "closed without being merged" in closed.told
    merged.check()
    assert merged.outcome == "resolved"
    assert merged.state.context["synced_sha"] == sha
    assert not [one for one in requests if one["method"] == "PUT" and one["path"].endswith("/merge")]


async def test_an_argo_cd_application_that_does_not_exist_leaves_a_diagnosis(postgres: str) -> None:
    async with staged(INCIDENT, postgres, PACE, argocd_applications=("gone",)) as stage:
        end = await worked(stage)
    end.check()
    assert end.outcome == "needs_human"
    assert "(Argo CD shows me no application gone)" in end.comments[0]
    assert "Service slots sends traffic to port 8080" in end.told
    assert "no application that I may deploy" in end.told


async def test_an_argo_cd_application_that_disappears_during_the_review_merges_nothing(postgres: str) -> None:
    async with staged(INCIDENT, postgres, PACE) as stage:
        waiting = await reviewing(stage)
        await stage.lab.control.add_fault("argocd", "status", status=404, path="/applications/shop", times=-1)
        await stage.lab.control.review(1, "approve")
        end = await followed(stage, waiting.state.workflow_id)
    end.check()
    assert end.outcome == "deployment_failed"
    assert "the application 'shop' cannot be deployed: Argo CD: GET /api/v1/applications/shop" in end.told
    assert not end.pulls[0]["merged"]


async def test_ten_megabytes_of_logs_and_binary_logs_change_nothing(postgres: str, tmp_path: Path) -> None:
    async with staged(damaged(tmp_path, _flood), postgres, PACE) as stage:
        waiting = await reviewing(stage)
        await stage.lab.control.review(1, "approve")
        end = await followed(stage, waiting.state.workflow_id)
    end.check()
    assert end.outcome == "resolved"
    assert end.errors == ()


def _flood(incident: Path) -> None:
    """10 MB in ordinary lines, 10 MB in one line, and bytes that are no text, each in the log of another pod."""
    logs = sorted((incident / "logs" / "plumtree").glob("*/*.log"))
    floods = (
        b"2026-02-17T09:58:00Z INFO served /healthz in 3 ms\n" * 210_000,
        b"x" * 10 * 2**20,
        bytes(range(256)) * 4_000,
    )
    for log, flood in zip(logs[1:], floods, strict=False):
        log.write_bytes(log.read_bytes() + flood)
