"""One of our own incident folders with its repository checked out, to be questioned by tests."""

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.lab.git_repository import git_environment, git_program
from sre_bot.lab.physics import DeployedTree, evaluate
from sre_bot.lab.quantities import quantity
from sre_bot.lab.recorded_history import build_repository
from sre_bot.lab.recording import Recording
from sre_bot.lab.render import render

INCIDENTS = Path(__file__).parents[1] / "evals" / "incidents"
FOLDERS = sorted(path for path in INCIDENTS.iterdir() if (path / "incident.yaml").is_file())
_AUTHOR = ("-c", "user.name=Test", "-c", "user.email=test@example.com")


@dataclass(frozen=True, slots=True)
class IncidentFolder:
    """A recording, and a clone of its repository at the head of its branch."""

    recording: Recording
    clone: Path

    @classmethod
    def check_out(cls, path: Path, place: Path) -> "IncidentFolder":
        recording = Recording.load(path)
        bare = build_repository(recording, place / "bare.git")
        folder = cls(recording, place / "clone")
        folder.clone.mkdir()
        folder.git("clone", "--quiet", str(bare.path), ".")
        return folder

    @property
    def faulty(self) -> bool:
        return self.recording.incident.expect.verdict == "fix"

    def git(self, *arguments: str) -> str:
        command = [git_program(), *_AUTHOR, *arguments]
        environment = git_environment(self.clone)
        run = subprocess.run(command, cwd=self.clone, env=environment, capture_output=True, check=True)
        return run.stdout.decode()

    def history(self) -> list[tuple[str, datetime, str, str]]:
        """Sha, author's date, author and subject of each commit, oldest first."""
        log = self.git("log", "--reverse", "--format=%H%x09%aI%x09%an%x09%s")
        rows = [line.split("\t", 3) for line in log.splitlines()]
        return [(sha, datetime.fromisoformat(date), author, subject) for sha, date, author, subject in rows]

    def files(self) -> dict[str, str]:
        return {name: (self.clone / name).read_text() for name in self.git("ls-files").splitlines()}

    def manifests(self) -> tuple[KubernetesObject, ...]:
        application = self.recording.incident.argocd
        assert application is not None
        return asyncio.run(render(self.files(), application.path))

    def outcome(self, without: str = "") -> str:
        """What deploying this tree does; ``without`` leaves out the objects of a kind."""
        objects = tuple(thing for thing in self.manifests() if thing["kind"] != without)
        return asyncio.run(evaluate(self.recording, DeployedTree(self.files(), objects)))

    def live(self, kind: str) -> list[KubernetesObject]:
        return [thing for thing in self.recording.objects if thing["kind"] == kind]

    def owned(self, kind: str, owner: KubernetesObject) -> list[KubernetesObject]:
        uid = owner["metadata"]["uid"]
        owners = [{ref["uid"] for ref in one["metadata"].get("ownerReferences", ())} for one in self.live(kind)]
        return [one for one, uids in zip(self.live(kind), owners, strict=True) if uid in uids]

    def selected(self, service: KubernetesObject) -> list[KubernetesObject]:
        """The pods that a Service's selector finds, ended ones apart."""
        selector, namespace = service["spec"].get("selector") or {}, service["metadata"]["namespace"]
        pods = [pod for pod in self.live("Pod") if pod["metadata"]["namespace"] == namespace and selector]
        pods = [pod for pod in pods if pod["status"]["phase"] not in ("Succeeded", "Failed")]
        return [pod for pod in pods if selector.items() <= pod["metadata"]["labels"].items()]

    def container_statuses(self) -> Iterator[dict[str, Any]]:
        for pod in self.live("Pod"):
            yield from pod["status"].get("containerStatuses", ())

    def logged(self, pattern: str) -> bool:
        return any(re.search(pattern, log.text) for log in self.recording.logs)

    def seen(self) -> Iterator[str]:
        """Everything that a service of the lab shows of this folder."""
        ticket = self.recording.incident.ticket
        yield from (ticket.summary, ticket.description, *ticket.labels)
        yield self.git("log", "--patch")
        yield from (log.text for log in self.recording.logs)
        yield from (json.dumps(thing) for thing in (*self.recording.objects, *self.recording.events))


def differences(wanted: Any, live: Any, place: str) -> Iterator[str]:
    """Where the live value is not what the manifest sets; what the manifest leaves out may be anything."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        for key, value in wanted.items():
            yield from differences(value, live.get(key), f"{place}.{key}")
    elif isinstance(wanted, list) and isinstance(live, list) and len(wanted) == len(live):
        for index, (one, other) in enumerate(zip(wanted, live, strict=True)):
            yield from differences(one, other, f"{place}[{index}]")
    elif wanted != live and (quantity(wanted) is None or quantity(wanted) != quantity(live)):
        yield f"{place}: {wanted!r} in the manifest, {live!r} in the cluster"


def revision(thing: KubernetesObject) -> int:
    return int(thing["metadata"]["annotations"]["deployment.kubernetes.io/revision"])


def is_ready(pod: KubernetesObject) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))


def moments(thing: KubernetesObject) -> list[datetime]:
    """The times in an object's metadata, in its status, and in an event."""
    told = {key: value for key, value in thing.items() if key not in ("data", "spec")}
    texts = re.findall(r'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)Z"', json.dumps(told))
    return [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in texts]
