"""One of our own incident folders with its repository built, to be questioned by tests."""

import asyncio
import io
import json
import re
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.lab.git_repository import git_environment, git_program
from sre_bot.lab.physics import DeployedTree, Outcome, evaluate
from sre_bot.lab.quantities import quantity
from sre_bot.lab.recorded_history import build_repository
from sre_bot.lab.recording import Recording
from sre_bot.lab.render import render

EVALS = Path(__file__).parents[1] / "evals"
INCIDENTS = EVALS / "incidents"
FOLDERS = sorted(file.parent for file in EVALS.glob("*/*/incident.yaml"))
_AUTHOR = ("-c", "user.name=Test", "-c", "user.email=test@example.com")


@dataclass(frozen=True)
class IncidentFolder:
    """A recording, and its bare repository under ``place``; a clone of that is made when somebody asks for it."""

    recording: Recording
    place: Path

    @classmethod
    def check_out(cls, path: Path, place: Path) -> "IncidentFolder":
        recording = Recording.load(path)
        build_repository(recording, place / "bare.git")
        return cls(recording, place)

    @property
    def faulty(self) -> bool:
        return self.recording.incident.expect.verdict == "fix"

    @cached_property
    def clone(self) -> Path:
        """A clone with the head of the branch in its work tree."""
        self.git("clone", "--quiet", str(self.place / "bare.git"), str(self.place / "clone"))
        return self.place / "clone"

    def git(self, *arguments: str, stdin: bytes = b"") -> str:
        return self._git(*arguments, stdin=stdin).decode()

    def _git(self, *arguments: str, stdin: bytes = b"") -> bytes:
        command, environment = [git_program(), *_AUTHOR, *arguments], git_environment(self.place)
        bare = self.place / "bare.git"
        return subprocess.run(command, cwd=bare, env=environment, input=stdin, capture_output=True, check=True).stdout

    @cached_property
    def history(self) -> list[tuple[str, datetime, str, str]]:
        """Sha, author's date, author and subject of each commit, oldest first."""
        log = self.git("log", "--reverse", "--format=%H%x09%aI%x09%an%x09%s")
        rows = [line.split("\t", 3) for line in log.splitlines()]
        return [(sha, datetime.fromisoformat(date), author, subject) for sha, date, author, subject in rows]

    @cached_property
    def files(self) -> dict[str, str]:
        """The text of every file at the head of the branch."""
        return self._tree("HEAD")

    def files_without(self, *guilty: str) -> dict[str, str]:
        """The head with commits taken back, as ``git revert`` would; fails where that conflicts."""
        self.git("read-tree", "HEAD")
        for sha in guilty:
            self.git("apply", "--cached", "--3way", stdin=self._git("diff", "--binary", sha, f"{sha}^"))
        return self._tree(self.git("write-tree").strip())

    def _tree(self, tree: str) -> dict[str, str]:
        with tarfile.open(fileobj=io.BytesIO(self._git("archive", "--format=tar", tree))) as archive:
            members = [(member.name, archive.extractfile(member)) for member in archive if member.isfile()]
            return {name: stream.read().decode() for name, stream in members if stream}

    @cached_property
    def manifests(self) -> tuple[KubernetesObject, ...]:
        """What the head renders to."""
        return self.rendered(self.files)

    def rendered(self, files: dict[str, str]) -> tuple[KubernetesObject, ...]:
        application = self.recording.incident.argocd
        assert application is not None
        return asyncio.run(render(files, application.path))

    def outcome(self, files: dict[str, str], objects: tuple[KubernetesObject, ...]) -> Outcome:
        """What deploying a tree does."""
        return asyncio.run(evaluate(self.recording, DeployedTree(files, objects)))

    def live(self, kind: str) -> list[KubernetesObject]:
        return [thing for thing in self.recording.objects if thing["kind"] == kind]

    def owned(self, kind: str, owner: KubernetesObject) -> list[KubernetesObject]:
        uid = owner["metadata"]["uid"]
        return [
            one for one in self.live(kind) if uid in {ref["uid"] for ref in one["metadata"].get("ownerReferences", ())}
        ]

    def pods_of(self, owner: KubernetesObject) -> list[KubernetesObject]:
        """The pods that count as an owner's replicas: those that neither ended nor are on their way out."""
        return [pod for pod in self.owned("Pod", owner) if not has_ended(pod) and not is_leaving(pod)]

    def selected(self, service: KubernetesObject) -> list[KubernetesObject]:
        """The pods that a Service's selector finds, ended ones apart."""
        selector, namespace = service["spec"].get("selector") or {}, service["metadata"]["namespace"]
        pods = [pod for pod in self.live("Pod") if pod["metadata"]["namespace"] == namespace and selector]
        pods = [pod for pod in pods if not has_ended(pod)]
        return [pod for pod in pods if selector.items() <= pod["metadata"]["labels"].items()]

    def seen(self) -> Iterator[str]:
        """Everything that a service of the lab shows of this folder."""
        ticket = self.recording.incident.ticket
        yield from (ticket.summary, ticket.description, *ticket.labels)
        yield self.git("log", "--patch")
        yield from (log.text for log in self.recording.logs)
        yield from (file.read_text() for file in (self.recording.folder / "cluster").rglob("*.*") if file.is_file())


def differences(wanted: Any, live: Any, place: str) -> Iterator[str]:
    """Where the live value is not what the manifest sets; what it leaves out may be anything, except in a selector."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        for key in (*wanted, *(live if place.endswith(".selector") else ())):
            yield from differences(wanted.get(key), live.get(key), f"{place}.{key}")
    elif isinstance(wanted, list) and isinstance(live, list) and len(wanted) == len(live):
        for index, (one, other) in enumerate(zip(wanted, live, strict=True)):
            yield from differences(one, other, f"{place}[{index}]")
    elif wanted != live and (quantity(wanted) is None or quantity(wanted) != quantity(live)):
        yield f"{place}: {wanted!r} in the manifest, {live!r} in the cluster"


def revision(thing: KubernetesObject) -> int:
    return int(thing["metadata"]["annotations"]["deployment.kubernetes.io/revision"])


def has_ended(pod: KubernetesObject) -> bool:
    return pod["status"]["phase"] in ("Succeeded", "Failed")


def is_leaving(pod: KubernetesObject) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def is_ready(pod: KubernetesObject) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))


def moments(thing: KubernetesObject) -> list[datetime]:
    """The times in an object's metadata, in its status, and in an event; a deletion's is when its grace ends."""
    told = {key: value for key, value in thing.items() if key not in ("data", "spec")}
    texts = re.findall(r'(?<!"deletionTimestamp": )"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)Z"', json.dumps(told))
    return [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in texts]
