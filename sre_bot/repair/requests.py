"""Answering a reviewer: suggestions are applied, plain requests for a value are understood, the rest goes to a person.

Reviews are untrusted text. Whatever is asked for must still remove the fault: the same condition decides as for our own
candidates, so that a reviewer cannot talk the bot into a repair that repairs nothing.
"""

import re
from typing import Any

from sre_bot.domain.errors import NoSafeFix
from sre_bot.domain.finding import FaultKind
from sre_bot.domain.fix import FileEdit, Fix
from sre_bot.domain.review import Decision
from sre_bot.repair.case import Case
from sre_bot.repair.conditions.objects import containers, entries, pods_selected, table
from sre_bot.repair.patches import PatchDoesNotApply, diff, hunks_of, undone
from sre_bot.repair.proof import unmet
from sre_bot.repair.strategies.code import reverted_commit
from sre_bot.repair.suggestions import Suggestion, apply_suggestions, suggestions_in
from sre_bot.repair.wishes import Known, Wish, edited_fields, wish_in

_ABOUT_NAMES = frozenset(
    (
        FaultKind.MISSING_CONFIG_MAP,
        FaultKind.MISSING_SECRET,
        FaultKind.MISSING_KEY,
        FaultKind.MISSING_SERVICE_ACCOUNT,
        FaultKind.STORAGE_CLASS_MISSING,
        FaultKind.INGRESS_BACKEND_MISSING,
        FaultKind.INGRESS_CLASS_MISSING,
        FaultKind.TLS_SECRET_MISSING,
    )
)
_REVERT = re.compile(
    r"\b(revert|roll back|undo)\b.{0,40}\b(commit|change|pr|pull request|instead|whole|everything)\b",
    re.IGNORECASE | re.DOTALL,
)


def answered(case: Case, request: Decision, previous: Fix, problems: tuple[str, ...]) -> Fix:
    """The previous fix changed as the reviewer asked.

    Raises ``NoSafeFix`` that quotes the request where it is not understood, and says why where it is not safe.
    """
    files, said = case.history.tree.files, _quote(request)
    fix = rebased(_changed(case, request, previous), files)
    if fix.edits == rebased(previous, files).edits:
        why = "; ".join(problems) or "the fix already is so"
        raise NoSafeFix(f"{_who(request)} asked: {said} This cannot be done: {why}")
    left = unmet(case, fix)
    if left:
        raise NoSafeFix(f"{_who(request)} asked: {said} With that the fault would stay: {left[0]}")
    return fix


def rebased(fix: Fix, files: dict[str, str]) -> Fix:
    """The fix on the tree as it is now, where the branch moved on while people reviewed. Raises ``NoSafeFix``."""
    edits = tuple(_rebased(edit, files.get(edit.path)) for edit in fix.edits)
    return fix.model_copy(update={"edits": edits})


def _rebased(edit: FileEdit, now: str | None) -> FileEdit:
    if edit.before == now:
        return edit
    if edit.before is None or edit.after is None or now is None:
        raise NoSafeFix(f"{edit.path} was added or removed on the branch while the fix was under review")
    try:
        after = undone(now, hunks_of(diff(edit.after, edit.before)))
    except PatchDoesNotApply as error:
        raise NoSafeFix(f"{edit.path} was changed on the branch while the fix was under review: {error}") from error
    return FileEdit(path=edit.path, before=now, after=after)


def _changed(case: Case, request: Decision, previous: Fix) -> Fix:
    suggestions = suggestions_in(request.comments)
    unanswered = [comment.body for comment in request.comments if not suggestions_in((comment,))]
    if suggestions and not unanswered:
        return _with_suggestions(case, request, previous, suggestions)
    text = "\n".join((request.request, *unanswered)).strip()
    if not suggestions and _REVERT.search(text):
        return _reverted(case, request)
    if suggestions:
        previous = _with_suggestions(case, request, previous, suggestions)
    return _with_wish(case, request, previous, text)


def _with_suggestions(case: Case, request: Decision, previous: Fix, suggestions: tuple[Suggestion, ...]) -> Fix:
    texts = {edit.path: edit.after for edit in previous.edits if edit.after is not None}
    after = apply_suggestions(suggestions, texts)
    count = "a suggestion" if len(suggestions) == 1 else f"{len(suggestions)} suggestions"
    return _revised(case, request, previous, after, f"{_what(previous)}, as suggested in review", f"Applied {count} of")


def _with_wish(case: Case, request: Decision, previous: Fix, text: str) -> Fix:
    fields = edited_fields(previous)
    wish = wish_in(text, fields, known_in(case)) if fields else None
    if wish is None:
        said = _quote(request)
        raise NoSafeFix(f"{_who(request)} asked: {said} What that means for the edit is not clear; a person decides")
    target = wish.field
    _vouch(case, wish)
    after = {target.manifest.path: wish.applied(previous)}
    title = f"Set {target.name} of {case.label(target.manifest)} to {wish.value}"
    return _revised(case, request, previous, after, title, f"{target.name} is set to `{wish.value}` as asked by")


def _vouch(case: Case, wish: Wish) -> None:
    """A name that the fault is about must be one that is known to exist."""
    if case.finding.kind not in _ABOUT_NAMES or not isinstance(wish.value, str):
        return
    earlier = [one.value for one in case.earlier_values(wish.field.manifest, wish.field.path)]
    if wish.value not in (*known_in(case).names, case.finding.expected, *earlier):
        raise NoSafeFix(f"nothing in the repository or its history is named {wish.value!r}, so the fault might stay")


def known_in(case: Case) -> Known:
    """The names of objects, ports and keys in the manifests, and the ports that the faulty object is about."""
    bodies = [manifest.body for manifest in case.manifests.objects]
    namespace, selector = case.finding.object.namespace, table(case.manifest.body, "spec", "selector")
    pods = pods_selected(bodies, namespace, selector) if case.manifest.ref.kind == "Service" else [case.manifest.body]
    declared = [port for pod in pods for one in _containers(pod) for port in entries(one, "ports")]
    numbered = [port for port in declared if isinstance(port.get("containerPort"), int) and "name" in port]
    ports = {(str(port["name"]), port["containerPort"]) for port in numbered}
    keys = {str(key) for body in bodies for key in table(body, "data")}
    names = {manifest.ref.name for manifest in case.manifests.objects} | keys | {name for name, _ in ports}
    return Known(frozenset(names), frozenset(ports))


def _containers(thing: Any) -> list[Any]:
    """The containers of a workload or of a pod template."""
    return containers(thing) or entries(thing, "spec", "containers")


def _revised(case: Case, request: Decision, previous: Fix, after: dict[str, str], title: str, how: str) -> Fix:
    edits = tuple(edit.model_copy(update={"after": after.get(edit.path, edit.after)}) for edit in previous.edits)
    return Fix(
        title=title,
        strategy="review",
        edits=tuple(edit for edit in edits if edit.before != edit.after),
        explanation=f"{case.complaint} {how} {_who(request)} in review: {_quote(request)}",
        risk=f"As before, with the reviewer's choice: {previous.risk}"
        if previous.strategy != "review"
        else previous.risk,
        reverts=previous.reverts,
    )


def _reverted(case: Case, request: Decision) -> Fix:
    fix = next(iter(reverted_commit(case)), None)
    if fix is None:
        raise NoSafeFix(f"{_who(request)} asked: {_quote(request)} There is no commit to revert")
    return fix.model_copy(update={"explanation": f"{fix.explanation} {_who(request)} asked for the revert in review."})


def _what(previous: Fix) -> str:
    return previous.title.removesuffix(", as suggested in review")


def _who(request: Decision) -> str:
    return request.reviewer or "the reviewer"


def _quote(request: Decision) -> str:
    """The request in one line, short, its code blocks left out."""
    parts = (request.request, *(comment.body for comment in request.comments))
    text = re.sub(r"```.*?```", "(suggestion)", " ".join(parts), flags=re.DOTALL)
    text = " ".join(text.split())
    return f"“{text[:300]}{'…' if len(text) > 300 else ''}”"
