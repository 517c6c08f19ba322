"""Containers that cannot start, or that end at once: command, working user, hooks, init containers.

Exit codes 126 and 127 are the shell's and the run-time's "cannot execute" and "not found"; a container that could not
be started at all is terminated with ``StartError`` and 128
(https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/). Ending with 0 is an end as
well: with ``restartPolicy: Always`` it is restarted for ever
(https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/).
"""

import re
from collections.abc import Iterator

from sre_bot.detectors.commands import is_shell_syntax, unfound_word, unknown_word
from sre_bot.detectors.events import Event
from sre_bot.detectors.fields import dig, mappings, sequence, text
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.onset import failing_since
from sre_bot.detectors.pods import Container
from sre_bot.detectors.sightings import seen_end, seen_event, seen_field, seen_line, seen_waiting
from sre_bot.detectors.troubles import Trouble, troubles
from sre_bot.domain.finding import Directness, Evidence, FaultKind, Finding

_CANNOT_RUN = re.compile(
    r"executable file|no such file or directory|permission denied|not a directory|is a directory|StartError"
    r"|starting container process|no command specified|chdir to cwd",
    re.IGNORECASE,
)
_MOUNTING = re.compile(
    r'error mounting [\\"]*([^"\\ ]+)[\\"]* to rootfs at [\\"]*([^"\\ ]+)'
    r'|failed to prepare subPath for volumeMount "([^"]+)"'
)
_EXEC = re.compile(r'exec: \\?"([^"\\]+)\\?"|executable file `([^`]+)`|(?:stat|exec) (\S+?):')
_FORMAT = re.compile(r"exec format error|exec user process caused", re.IGNORECASE)
_NON_ROOT = re.compile(r"runAsNonRoot")


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge every container that waits after an error or ended without running for long."""
    for pod in index.current_pods:
        for container in pod.containers:
            if container.waiting in ("CreateContainerConfigError", "CreateContainerError", "RunContainerError"):
                yield from _not_created(index, container, container.waiting_message, (seen_waiting(container),))
            elif hooked := _hook_told(index, container):
                yield _hook(container, hooked)
            elif container.fails(index.now) and container.exit_code is not None:
                yield from _ended(index, container)
            elif container.waiting == "CrashLoopBackOff":
                for event in _failures(index, container)[-1:]:
                    yield from _not_created(index, container, event.message, (seen_event(event),))


def _hook_told(index: ClusterIndex, container: Container) -> tuple[Evidence, ...]:
    """The kubelet's word that the start hook failed: it kills the container, whose end tells nothing of it."""
    if container.waiting == "PostStartHookError":
        return (seen_waiting(container),)
    told = [
        event
        for event in index.events_of(container.pod.ref)
        if event.reason == "FailedPostStartHook" and event.speaks_of(container.name)
    ]
    hooked = dig(container.spec, "lifecycle", "postStart") is not None and container.fails(index.now)
    return tuple(seen_event(event) for event in told[-1:]) if hooked else ()


def _not_created(
    index: ClusterIndex, container: Container, said: str, evidence: tuple[Evidence, ...]
) -> Iterator[Finding]:
    if _NON_ROOT.search(said):
        yield _non_root(container)
    elif mounting := _MOUNTING.search(said):
        yield _mount(container, mounting, said, evidence)
    elif container.waiting != "CreateContainerConfigError" and _CANNOT_RUN.search(said):
        yield _command(index, container, _named(said), said, evidence, "stated")


def _ended(index: ClusterIndex, container: Container) -> Iterator[Finding]:
    said = text(container.last_end, "message")
    lines = tuple(one for one in index.once(troubles).get(container.workload, ()) if one.container is container)
    formats = [one for one in lines if _FORMAT.search(one.line.text)]
    if text(container.last_end, "reason") in ("StartError", "ContainerCannotRun") or container.exit_code == 128:
        if "OOM-killed" not in said:
            shown = (seen_end(container), *(seen_event(event) for event in _failures(index, container)[-1:]))
            mounting = _MOUNTING.search(said)
            yield (
                _mount(container, mounting, said, shown)
                if mounting
                else _command(index, container, _named(said), said, shown, "stated")
            )
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
    named = next((word for one in reversed(lines) if (word := unfound_word(one.line.text))), "")
    word = named or _first_word(container)
    shown = (seen_end(container), *(seen_line(one.line) for one in lines[-2:]))
    return _command(index, container, word, f"exit code {container.exit_code}", shown, "stated")


def _rejected_word(container: Container, lines: tuple[Trouble, ...]) -> tuple[str, Trouble] | None:
    """A word of the command or the arguments that the program does not know or does not find; the newest line first."""
    for one in reversed(lines):
        for word in (unknown_word(one.line.text), unfound_word(one.line.text)):
            if _is_ours(container, word):
                return word, one
        if is_shell_syntax(one.line.text) and _overrides(container):
            return _last_word(container), one
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
    return bool(word) and word.strip("'\"") in " ".join(_words(container))


def _overrides(container: Container) -> bool:
    return bool(sequence(container.spec, "command") or sequence(container.spec, "args"))


def _words(container: Container) -> list[str]:
    return [str(part) for group in ("command", "args") for part in sequence(container.spec, group)]


def _first_word(container: Container) -> str:
    return next(iter(_words(container)), "")


def _last_word(container: Container) -> str:
    return next(reversed(_words(container)), "")


def _named(said: str) -> str:
    match = _EXEC.search(said)
    return _group(match) if match else ""


def _group(match: re.Match[str] | None) -> str:
    return next((group for group in match.groups() if group), "") if match else ""


def _failures(index: ClusterIndex, container: Container) -> list[Event]:
    """What the kubelet says of the last attempts to start a container."""
    return [
        event
        for event in index.events_of(container.pod.ref)
        if event.reason == "Failed" and event.speaks_of(container.name)
    ]


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


def _hook(container: Container, told: tuple[Evidence, ...]) -> Finding:
    command = dig(container.spec, "lifecycle", "postStart")
    field = f"{container.field}.lifecycle.postStart"
    words = [str(part) for part in sequence(command, "exec", "command")]
    return Finding(
        kind=FaultKind.INVALID_COMMAND,
        object=container.workload,
        field=field,
        observed=words[-1] if words else "postStart",
        expected="",
        message=f"The postStart hook of container {container.name} of {container.workload.name} fails.",
        directness="stated",
        evidence=(*told, seen_field(container.workload, field, command)),
        since=container.pod.created,
        container=container.name,
    )


def _mount(container: Container, match: re.Match[str], said: str, evidence: tuple[Evidence, ...]) -> Finding:
    """A volume that cannot be laid over its place: a folder over a file, a path below it that is not there."""
    mounts = mappings(container.spec, "volumeMounts")
    place = next((n for n, one in enumerate(mounts) if text(one, "mountPath") == match[2]), 0)
    field = f"{container.field}.volumeMounts[{place}]"
    return Finding(
        kind=FaultKind.INVALID_CONFIG,
        object=container.workload,
        field=field,
        observed=match[2] or match[3],
        expected="",
        message=f"A volume of container {container.name} of {container.workload.name} cannot be mounted: {said[:200]}.",
        directness="stated",
        evidence=(*evidence, seen_field(container.workload, field, mounts[place] if mounts else {})),
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
