"""Rules about the recorded logs, and about what can be seen of a fault at all."""

import re
from collections.abc import Iterator
from typing import Any

from sre_bot.domain.cluster import KubernetesObject
from tests.incident_folder import IncidentFolder, is_ready

FRAME = re.compile(r'File "/app/(?P<file>src/[^"]+)", line (?P<line>\d+), in \w+\n\s+(?P<code>[^\n]+)')
COMPLAINT = re.compile(r"error|fail|refused|time|warn|exception|fatal|unable|cannot|denied|slow|retry", re.IGNORECASE)

Place = tuple[str, str, str, bool]


def every_running_container_that_can_be_asked_has_a_log(folder: IncidentFolder) -> Iterator[str]:
    """A kubelet that is not Ready answers no request for logs, and a previous run's file may be gone."""
    logs = {(log.namespace, log.pod, log.container, log.previous) for log in folder.recording.logs}
    silent = {node["metadata"]["name"] for node in folder.live("Node") if not is_ready(node)}
    could, must = set[Place](), set[Place]()
    for pod in folder.live("Pod"):
        could |= {place for place, _ in _runs(pod)}
        if pod["spec"].get("nodeName") not in silent:
            must |= {place for place, state in _runs(pod) if "running" in state}
    yield from (f"{place} has none" for place in sorted(must - logs))
    yield from (f"{place} never ran" for place in sorted(logs - could))


def _runs(pod: KubernetesObject) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Each run of each container of a pod, init containers included, and the state that it is or was in."""
    place = (pod["metadata"]["namespace"], pod["metadata"]["name"])
    for statuses in ("initContainerStatuses", "containerStatuses"):
        for status in pod["status"].get(statuses, ()):
            yield (*place, status["name"], False), status["state"]
            yield (*place, status["name"], True), {}


def stack_traces_quote_the_lines_of_the_tree(folder: IncidentFolder) -> Iterator[str]:
    for log in folder.recording.logs:
        for frame in FRAME.finditer(log.text):
            lines = folder.files.get(frame["file"], "").splitlines()
            number = int(frame["line"])
            if lines and (number > len(lines) or lines[number - 1].strip() != frame["code"].strip()):
                yield f"{frame['file']}:{number} is not {frame['code']!r}"


def a_fault_can_be_seen_somewhere(folder: IncidentFolder) -> Iterator[str]:
    if folder.recording.incident.expect.verdict != "no_action" and not (
        any(event["type"] == "Warning" for event in folder.recording.events)
        or any(COMPLAINT.search(log.text) for log in folder.recording.logs)
        or (folder.recording.folder / "metrics").is_dir()
    ):
        yield "no event, log or metric says anything"


RULES = (
    every_running_container_that_can_be_asked_has_a_log,
    stack_traces_quote_the_lines_of_the_tree,
    a_fault_can_be_seen_somewhere,
)
