"""What the bot writes to people, from typed values. Pure.

Comments on tickets are Jira's wiki markup, what stands on a pull request is Markdown. Whatever somebody else wrote,
named or logged goes through ``markup`` here, so that it is read and does nothing.
"""

import re
from collections.abc import Callable, Sequence

from sre_bot.domain.diagnosis import Diagnosis, Hypothesis
from sre_bot.domain.fix import Fix, TestReport, Validation
from sre_bot.domain.review import Decision
from sre_bot.domain.ticket import Scope
from sre_bot.graph.markup import markdown, markdown_quote, plain, wiki, wiki_quote

ERROR_LIMIT = 2_000
"""Characters of an error on the ticket; the record keeps all of it."""

LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}")
"""An account's name on GitHub."""


def accepted(scope: Scope, missing: Sequence[str] = ()) -> str:
    """The comment that accepts a ticket; ``missing`` are the applications that Argo CD should show and does not."""
    where = f"application {scope.application} ({scope.repository})" if scope.application else "the cluster alone"
    why = f" (Argo CD shows me no application {', '.join(missing)})" if missing else ""
    return f"I have taken this ticket. I look at {where}{why}, namespaces {', '.join(scope.namespaces)}."


def rejected(reason: str) -> str:
    """The comment that rejects a ticket; ``reason`` is a clause."""
    return f"I cannot take this ticket: {wiki(reason)}."


def analysis(diagnosis: Diagnosis, closing: str) -> str:
    """The analysis as a comment: summary, evidence, other candidates, and what happens now."""
    best = diagnosis.hypotheses[:1]
    parts = [wiki(diagnosis.summary), *(line for one in best for line in _evidence(one, wiki, wiki_quote))]
    others = [f"- {one.kind} at {wiki(str(one.object))} ({one.confidence:.0%})" for one in diagnosis.hypotheses[1:4]]
    if others:
        parts += ["", "Also considered:", *others]
    return "\n".join([*parts, "", wiki(closing)])


def pull_request_opened(number: int, url: str, fix: Fix, diagnosis: Diagnosis) -> str:
    """The comment that announces the pull request on the ticket."""
    proposed = f"Proposed fix: {wiki(fix.title)} (pull request #{number}, {url}). It waits for a review."
    return f"{wiki(diagnosis.summary)}\n\n{proposed}"


def pull_request_title(ticket: str, fix: Fix) -> str:
    """The title of the pull request, on one line."""
    return f"{ticket}: {_title(fix.title)}"


def pull_request_body(
    ticket: str, diagnosis: Diagnosis, fix: Fix, validation: Validation, report: TestReport, test_path: str
) -> str:
    """The text of the pull request: cause, evidence, change, risk, rollback, tests."""
    sections = [
        f"Ticket: {ticket}",
        f"## Cause\n\n{markdown(diagnosis.summary)}",
        _evidence_section(diagnosis),
        f"## Change\n\n{markdown(fix.explanation)}",
        f"## Risk\n\n{markdown(fix.risk)}",
        "## Rollback\n\nApproving this change also approves exactly its inverse: if the deployment does not become "
        "sound, I revert these edits, deploy the revert and say so.",
        f"## Checks\n\n{_checks(validation, report, test_path)}",
    ]
    return "\n\n".join(section for section in sections if section)


def commit_message(ticket: str, fix: Fix) -> str:
    """The commit's message."""
    return f"{_title(fix.title)}\n\n{plain(fix.explanation)}\n\nTicket: {ticket}\n"


def revert_message(ticket: str, title: str, reason: str) -> str:
    """The message of the commit that takes a fix back."""
    return f'Revert "{_title(title)}"\n\n{plain(reason)}\n\nTicket: {ticket}\n'


def revert_title(fix: Fix) -> str:
    """The title of the pull request that would take a fix back."""
    return f"Revert: {_title(fix.title)}"


def revert_body(failure: str, number: int) -> str:
    """The text of the pull request that would take back pull request ``number``."""
    return f"{markdown(failure)}\n\nThis takes back pull request #{number}."


def change_answered(fix: Fix, reviewer: str) -> str:
    """The answer to a change request, on the pull request."""
    whom = f"@{reviewer}" if LOGIN.fullmatch(reviewer) else markdown(reviewer)
    return f"{whom} I have changed it as you asked: {markdown(fix.explanation)}"


def _title(text: str) -> str:
    return plain(" ".join(text.split()))


def _evidence_section(diagnosis: Diagnosis) -> str:
    if not diagnosis.hypotheses:
        return ""
    return "## Evidence\n\n" + "\n".join(_evidence(diagnosis.hypotheses[0], markdown, markdown_quote))


def _evidence(hypothesis: Hypothesis, text: Callable[[str], str], quote: Callable[[str], str]) -> list[str]:
    return [
        f"- {text(one.subject)}, {text(one.locator)} ({one.id}): {quote(one.excerpt)}"
        for one in hypothesis.finding.evidence
    ]


def _checks(validation: Validation, report: TestReport, test_path: str) -> str:
    lines = [f"- {markdown(check)}" for check in validation.checks]
    test = markdown_quote(test_path)
    if not report.ran:
        return "\n".join([*lines, f"- {test} was NOT run: this machine offers no sandbox for repository code"])
    return "\n".join([*lines, f"- {test} fails on the current tree and passes with this change"])


def fix_rejected(decision: Decision) -> str:
    """The comment after a rejected pull request."""
    who = f" by {wiki(decision.reviewer)}" if decision.reviewer else ""
    why = f": {wiki(decision.reason)}" if decision.reason else ""
    return f"The proposed fix was rejected{who}{why}. I stop here; a person should take over."


def resolved(fix: Fix, number: int, revision: str) -> str:
    """The comment that closes the ticket."""
    return (
        f"Fixed by pull request #{number} ({wiki(fix.title)}), deployed as {revision[:12]}. "
        "The original finding is gone, nothing new appeared, and it stayed so for the settling time."
    )


def deployment_failed(reason: str, rollback: str) -> str:
    """The comment after a deployment that did not become sound."""
    return f"The deployment did not succeed: {wiki(reason)}. {wiki(rollback)} A person should take over."


def escalated(what: str, error: str, tried: int, left: str) -> str:
    """The hand-over note: what happened, how often it was tried, what is left."""
    times = f" after {tried} more attempts" if tried else ""
    said = error if len(error) <= ERROR_LIMIT else f"{error[:ERROR_LIMIT]}…"
    return f"I stopped while {what}{times}: {wiki(said)}\n\n{wiki(left)}"


def quarantined(doing: str, why: str, workflow: str) -> str:
    """The comment that asks a person to look at a workflow that nobody runs any more."""
    said = why if len(why) <= ERROR_LIMIT else f"{why[:ERROR_LIMIT]}…"
    return (
        f"I have put my work on this ticket aside while {doing}, and a person has to look at it: {wiki(said)}\n\n"
        f"{{{{sre-bot show {workflow} --errors}}}} says more, {{{{sre-bot retry {workflow}}}}} lets me go on, and "
        f"{{{{sre-bot cancel {workflow} --why …}}}} ends it."
    )


def first_ended(ticket: str, outcome: str) -> str:
    """The comment on a duplicate when the ticket that it follows ends."""
    return f"{ticket}, which has the same cause as this ticket, has ended: {outcome}."


def not_merged(why: str) -> str:
    """The comment on a pull request that was approved and is not merged."""
    return f"I do not merge this although it is approved: {markdown(why)}."


def overlapping(ticket: str, places: Sequence[str], url: str, escaped: Callable[[str], str]) -> str:
    """That another open fix touches the same lines, ``escaped`` for a ticket or for a pull request."""
    where = ", ".join(escaped(place) for place in places)
    return f"My fix for {ticket} ({url}) touches the same lines as this one: {where}. Please review them together."


def reminder(what: str, share: int, hours_left: float) -> str:
    """The comment that reminds people before a time limit is over."""
    return (
        f"{share} % of the time for {what} is over. In {hours_left:.1f} hours I stop waiting and hand this ticket back."
    )
