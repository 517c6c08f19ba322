"""Containers that cannot start, or that end at once: command, working user, hooks, init containers.

Exit codes 126 and 127 are the shell's and the run-time's "cannot execute" and "not found"; a container that could not
be started at all is terminated with ``StartError`` and 128
(https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/). Ending with 0 is an end as
well: with ``restartPolicy: Always`` it is restarted for ever
(https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/).
"""

import re
from collections.abc import Iterator

from sre_bot.detectors.fields import dig, sequence, text
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.onset import failing_since
from sre_bot.detectors.pods import Container
from sre_bot.detectors.sightings import seen_end, seen_event, seen_field, seen_line, seen_waiting
from sre_bot.detectors.troubles import Trouble, troubles
from sre_bot.domain.finding import Directness, Evidence, FaultKind, Finding

_CANNOT_RUN = re.compile(
    r"executable file not found|no such file or directory|permission denied|not a directory|StartError"
    r"|starting container process"
)
_EXEC = re.compile(r'exec: "([^"]+)"|(?:stat|exec) (\S+?):')
_NOT_FOUND = re.compile(
    r"(?:sh|bash|ash|dash)?:? ?(?:line \d+: |\d+: )?([\w./-]+): (?:command )?not found|can't open '([^']+)'"
    r"|can't open file '([^']+)'|Cannot find module '([^']+)'|Unable to access jarfile (\S+)"
    r"|no such file or directory: '?([^'\s]+)"
    r"|Could not find or load main class (\S+)|No module named ['\"]?([\w.]+)"
)
_WRONG_WORD = re.compile(
    r"(?:unknown|unrecogni[sz]ed|invalid|no such|unsupported|illegal|bad) (?:shorthand )?(?:flag|option|argument"
    r"|command|subcommand)s?"
    r"[:\s'\"`]*(?:in |provided but not defined: )?[\"'`]?(-{0,2}[\w][\w.-]*)|flag provided but not defined: (-[\w.-]+)"
    r"|unrecognized arguments?: (\S+)|Error: unknown command \"([^\"]+)\"",
    re.IGNORECASE,
)
_FORMAT = re.compile(r"exec format error|exec user process caused")
_NON_ROOT = re.compile(r"runAsNonRoot")


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge every container that waits after an error or ended without running for long."""
    for pod in index.current_pods:
        for container in pod.containers:
            if container.waiting in ("CreateContainerConfigError", "CreateContainerError", "RunContainerError"):
                yield from _not_created(index, container)
            if container.fails(index.now) and container.exit_code is not None:
                yield from _ended(index, container)
            if container.waiting == "PostStartHookError":
                yield _hook(container)


def _not_created(index: ClusterIndex, container: Container) -> Iterator[Finding]:
    said = container.waiting_message
    if _NON_ROOT.search(said):
        yield _non_root(container)
    elif container.waiting != "CreateContainerConfigError" and _CANNOT_RUN.search(said):
        yield _command(index, container, _named(said), said, (seen_waiting(container),), "stated")


def _ended(index: ClusterIndex, container: Container) -> Iterator[Finding]:
    said = text(container.last_end, "message")
    lines = tuple(one for one in index.once(troubles).get(container.workload, ()) if one.container is container)
    formats = [one for one in lines if _FORMAT.search(one.line.text)]
    if text(container.last_end, "reason") in ("StartError", "ContainerCannotRun") or container.exit_code == 128:
        if "OOM-killed" not in said:
            shown = (seen_end(container), *_failed_events(index, container))
            yield _command(index, container, _named(said), said, shown, "stated")
    elif formats:
        yield _wrong_platform(container, seen_line(formats[-1].line))
    elif container.exit_code in (126, 127):
        yield _not_executable(index, container, lines)
    elif rejected := _rejected_word(container, lines):
        word, one = rejected
        shown = (seen_line(one.line), seen_end(container))
        yield _command(index, container, word, one.line.text, shown, "inferred")
    else:
        yield from _own_end(index, container, quiet=not lines)


def _not_executable(index: ClusterIndex, container: Container, lines: tuple[Trouble, ...]) -> Finding:
    named = next((match for one in reversed(lines) if (match := _NOT_FOUND.search(one.line.text))), None)
    word = _group(named) if named else _first_word(container)
    shown = (seen_end(container), *(seen_line(one.line) for one in lines[-2:]))
    return _command(index, container, word, f"exit code {container.exit_code}", shown, "stated")


def _rejected_word(container: Container, lines: tuple[Trouble, ...]) -> tuple[str, Trouble] | None:
    """A word of the command or the arguments that the program does not know or does not find; the newest line first."""
    for one in reversed(lines):
        for pattern in (_WRONG_WORD, _NOT_FOUND):
            word = _group(pattern.search(one.line.text))
            if _is_ours(container, word):
                return word, one
    return None


def _own_end(index: ClusterIndex, container: Container, *, quiet: bool) -> Iterator[Finding]:
    """A main container that ends with 0 by itself, or an init container that fails without a word."""
    if container.exit_code == 0 and not container.init:
        yield _command(
            index,
            container,
            _first_word(container),
            "it ends with exit code 0 and is restarted",
            (seen_end(container),),
            "inferred",
        )
    elif container.init and container.exit_code:
        yield _init(container, index)
    elif quiet and container.exit_code in (1, 2) and _overrides(container):
        yield _command(
            index,
            container,
            _first_word(container),
            f"exit code {container.exit_code}",
            (seen_end(container),),
            "logged",
        )


def _is_ours(container: Container, word: str) -> bool:
    """Whether the command or the arguments hold a word that the program rejects."""
    said = " ".join(str(part) for group in ("command", "args") for part in sequence(container.spec, group))
    return bool(word) and word.strip("'\"") in said


def _overrides(container: Container) -> bool:
    return bool(sequence(container.spec, "command") or sequence(container.spec, "args"))


def _first_word(container: Container) -> str:
    words = [str(part) for group in ("command", "args") for part in sequence(container.spec, group)]
    return words[0] if words else ""


def _named(said: str) -> str:
    match = _EXEC.search(said)
    return _group(match) if match else ""


def _group(match: re.Match[str] | None) -> str:
    return next((group for group in match.groups() if group), "") if match else ""


def _failed_events(index: ClusterIndex, container: Container) -> tuple[Evidence, ...]:
    events = [
        event
        for event in index.events_of(container.pod.ref)
        if event.reason == "Failed" and event.speaks_of(container.name)
    ]
    return tuple(seen_event(event) for event in events[-1:])


def _place(container: Container, word: str) -> tuple[str, str]:
    """The field of the command or argument that holds a word, with its text; the command as a whole where none does."""
    for group in ("command", "args"):
        for position, part in enumerate(sequence(container.spec, group)):
            if word and word in str(part):
                return f"{container.field}.{group}[{position}]", str(part)
    group = (
        "command" if sequence(container.spec, "command") else "args" if sequence(container.spec, "args") else "image"
    )
    return f"{container.field}.{group}", text(container.spec, group)


def _command(
    index: ClusterIndex,
    container: Container,
    word: str,
    said: str,
    evidence: tuple[Evidence, ...],
    directness: Directness,
) -> Finding:
    field, value = _place(container, word)
    group = field.rsplit(".", 1)[-1].split("[")[0]
    return Finding(
        kind=FaultKind.INVALID_COMMAND,
        object=container.workload,
        field=field,
        observed=word or value or text(container.last_end, "reason"),
        expected="",
        message=f"Container {container.name} of {container.workload.name} cannot run what it is told"
        + (f" ({word})" if word else "")
        + f": {said[:200]}.",
        directness=directness,
        evidence=(*evidence, seen_field(container.workload, f"{container.field}.{group}", dig(container.spec, group))),
        since=failing_since(index, container),
        container=container.name,
    )


def _wrong_platform(container: Container, line: Evidence) -> Finding:
    """The kernel's ENOEXEC: the image is made for another architecture (or its entry point has no interpreter line)."""
    image = text(container.spec, "image")
    return Finding(
        kind=FaultKind.IMAGE_NOT_FOUND,
        object=container.workload,
        field=f"{container.field}.image",
        observed=image,
        expected="",
        message=f"Image {image} of {container.workload.name} is not made for the node's platform.",
        directness="logged",
        evidence=(line, seen_end(container), seen_field(container.workload, f"{container.field}.image", image)),
        since=container.pod.created,
        container=container.name,
    )


def _non_root(container: Container) -> Finding:
    """``runAsNonRoot`` makes the kubelet refuse an image whose user is root or not numeric."""
    in_pod = dig(container.pod.spec, "securityContext", "runAsNonRoot") is True
    field = f"{container.pod.field if in_pod else container.field}.securityContext.runAsNonRoot"
    return Finding(
        kind=FaultKind.INVALID_CONFIG,
        object=container.workload,
        field=field,
        observed="runAsNonRoot",
        expected="",
        message=f"Container {container.name} of {container.workload.name} must not run as root, but its image would.",
        directness="stated",
        evidence=(seen_waiting(container), seen_field(container.workload, field, True)),
        since=container.pod.created,
        container=container.name,
    )


def _hook(container: Container) -> Finding:
    command = dig(container.spec, "lifecycle", "postStart")
    return Finding(
        kind=FaultKind.INVALID_COMMAND,
        object=container.workload,
        field=f"{container.field}.lifecycle.postStart",
        observed="PostStartHookError",
        expected="",
        message=f"The postStart hook of container {container.name} of {container.workload.name} fails.",
        directness="stated",
        evidence=(
            seen_waiting(container),
            seen_field(container.workload, f"{container.field}.lifecycle.postStart", command),
        ),
        since=container.pod.created,
        container=container.name,
    )


def _init(container: Container, index: ClusterIndex) -> Finding:
    lines = [one for one in index.once(troubles).get(container.workload, ()) if one.container is container]
    return Finding(
        kind=FaultKind.INIT_CONTAINER_FAILED,
        object=container.workload,
        field=container.field,
        observed=container.name,
        expected="",
        message=f"Init container {container.name} of {container.workload.name} ends with code {container.exit_code}.",
        directness="stated",
        evidence=(
            seen_end(container),
            *(seen_line(one.line) for one in lines[-2:]),
            seen_field(container.workload, f"{container.field}.name", container.name),
        ),
        since=failing_since(index, container),
        container=container.name,
    )
