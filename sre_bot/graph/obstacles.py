"""What keeps us from repairing at all, whatever the cause is: known before a fix is thought of. Pure."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from sre_bot.domain.source import SourceHistory
from sre_bot.domain.ticket import Scope
from sre_bot.repair.manifests import Manifests


def obstacle(scope: Scope, history: SourceHistory | None, unseen: Sequence[str] = ()) -> str:
    """Why no change of ours could be deployed, as a clause; empty when nothing stands in the way.

    ``unseen`` says what could not be read, the repository first.
    """
    if not scope.application:
        return "no application that I may deploy, from a repository that I may change, is behind this"
    if history is None:
        return f"I could not read {unseen[0]}" if unseen else f"I could not read {scope.repository}"
    return in_tree(history)


def in_tree(history: SourceHistory) -> str:
    """What in the repository itself keeps every change of it from being deployed, as a clause; empty when nothing."""
    manifests = Manifests.read(history.tree.files, history.path)
    if not manifests.objects and not manifests.unreadable:
        where = f"the folder {history.path!r} of " if history.path.strip("./") else ""
        return (
            f"{where}{history.repository} holds no manifests at {history.tree.sha[:9]}, so there is nothing to change"
        )
    if malformed := _malformed(manifests):
        return f"Argo CD can deploy nothing while a manifest is malformed ({malformed[0]})"
    return ""


def _malformed(manifests: Manifests) -> list[str]:
    """What is wrong with files that Argo CD is sure to read: those right in a folder of plain manifests.

    Templates of a chart and what a kustomization generates from need not be YAML.
    """
    folder = PurePosixPath(manifests.folder)
    if manifests.is_overlay or str(folder / "Chart.yaml") in manifests.files:
        return []
    return [problem for path, problem in manifests.unreadable.items() if PurePosixPath(path).parent == folder]
