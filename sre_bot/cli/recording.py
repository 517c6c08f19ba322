"""``record``: a live cluster and its repository as an incident folder, secrets masked, to be examined elsewhere."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from sre_bot.cli.diagnosing import Context, DeployedPath, Kubeconfig, Namespaces, Repo
from sre_bot.cli.output import AsJson, emit, out
from sre_bot.domain.cluster import ClusterSnapshot
from sre_bot.domain.source import SourceHistory


def record(
    to: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="The new incident folder.")],
    namespace: Namespaces = None,
    repo: Repo = None,
    path: DeployedPath = None,
    kubeconfig: Kubeconfig = "",
    context: Context = "",
    recorded: Annotated[
        Path | None, typer.Option("--from", metavar="PATH", help="Record from a dump instead of a live cluster.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write an incident folder from a live cluster and a clone of its repository, with secrets masked."""
    given = {"namespaces": tuple(namespace or ()), "recorded": recorded, "repo": repo, "path": path}
    told = asyncio.run(_record(to, {**given, "kubeconfig": kubeconfig, "context": context}))
    if as_json:
        emit({"folder": str(to), **told})
        return
    out.print(f"{to}: {told['objects']} objects, {told['logs']} logs", markup=False, soft_wrap=True)
    for one in told["unseen"]:
        out.print(f"not seen: {one}", markup=False, style="yellow", soft_wrap=True)
    out.print(
        f"Look through it before you give it away. Try: sre-bot diagnose --from {to}", markup=False, soft_wrap=True
    )


async def _record(to: Path, given: dict[str, Any]) -> dict[str, Any]:
    """Read, write, and draft the description from a diagnosis of what was read."""
    from sre_bot.cli.examination import Question, examine
    from sre_bot.cli.report.inert import line
    from sre_bot.settings import load
    from sre_bot.tools.recording_folder import prepare, write_cluster, write_description

    question = Question(**given)
    await asyncio.to_thread(prepare, to)
    examination = await examine(question, load(), remedies=0)
    snapshot, history = examination.snapshot, examination.history
    unwritten = await asyncio.to_thread(write_cluster, to, snapshot)
    unseen = tuple(line(one) for one in (*snapshot.unseen, *unwritten))
    described = _described(to, snapshot, unseen, examination.judgement.diagnosis.summary)
    if question.repo is not None and history is not None:
        described |= await _repository(to, question.repo, history, snapshot)
    described["expect"] = _expected(examination.judgement.diagnosis)
    await asyncio.to_thread(write_description, to, described)
    return {"objects": len(snapshot.objects) + len(snapshot.events), "logs": len(snapshot.logs), "unseen": unseen}


def _described(to: Path, snapshot: ClusterSnapshot, unseen: tuple[str, ...], summary: str) -> dict[str, Any]:
    from sre_bot.cli.report.inert import line

    where = ", ".join(snapshot.namespaces)
    return {
        "id": to.absolute().name,
        "now": snapshot.taken_at.isoformat(),
        "ticket": {
            "key": "INC-1",
            "summary": f"Something is wrong in {where}",
            "description": line(summary, 2_000),
            "priority": "High",
        },
        **({"unseen": list(unseen)} if unseen else {}),
    }


async def _repository(to: Path, repo: Path, history: SourceHistory, snapshot: ClusterSnapshot) -> dict[str, Any]:
    from sre_bot.repair.masking import masked
    from sre_bot.tools.history_recording import record_history
    from sre_bot.tools.local_clone import clone_at

    clone = await clone_at(repo)
    branch = history.branch or "main"
    await record_history(clone, branch, to / "repo.bundle", masked)
    namespace = next((one for one in snapshot.namespaces if one != "default"), "default")
    return {
        "repository": {"name": f"recorded/{clone.name}", "branch": branch},
        "argocd": {"application": clone.name, "path": history.path or ".", "namespace": namespace},
    }


def _expected(diagnosis: Any) -> dict[str, Any]:
    best = diagnosis.best
    drafted: dict[str, Any] = {"verdict": diagnosis.verdict, "culprit": "none", "decoys": []}
    if best is not None:
        drafted["root_cause"] = [{"kind": best.kind.value, "object": str(best.object)}]
        drafted["culprit"] = best.culprit.subject if best.culprit else "none"
    return drafted
