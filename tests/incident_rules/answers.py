"""Rules about what ``incident.yaml`` asks and expects, and about what heals and harms."""

import re
import shlex
from collections.abc import Iterable, Iterator

from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.finding import FaultKind
from sre_bot.evals.answers import Claim
from sre_bot.evals.incidents import Expected
from sre_bot.evals.matching import object_matches, owners_of
from sre_bot.lab.recording import Cause, Condition
from tests.incident_folder import IncidentFolder

CALM = {FaultKind.HEALTHY, FaultKind.RECOVERED}
TELLTALE = re.compile(r"culprit|decoy|root[_-]cause|heals_when|\bbug\b|\bfixme\b|on purpose|deliberately")
"""In lower case."""


def the_answer_is_of_our_vocabulary(folder: IncidentFolder) -> Iterator[str]:
    expect = folder.recording.incident.expect
    if expect.verdict not in ("fix", "no_action", "needs_human"):
        yield f"there is no verdict {expect.verdict!r}"
    named = {kind for cause in expect.root_cause for kind in (cause.kind, *cause.kind_also)}
    yield from (f"there is no kind {kind!r}" for kind in sorted(named - {kind.value for kind in FaultKind}))
    if not Expected.read(folder.recording.folder).family:
        yield "it belongs to no family"


def the_split_is_that_of_the_shelf(folder: IncidentFolder) -> Iterator[str]:
    split, shelf = Expected.read(folder.recording.folder).split, folder.recording.folder.parent.name
    if split != {"incidents": "tuned", "kept": "kept"}[shelf]:
        yield f"it stands under {shelf}/ and says that it is {split}"


def the_verdict_agrees_with_the_rest(folder: IncidentFolder) -> Iterator[str]:
    expect = folder.recording.incident.expect
    if not expect.root_cause:
        yield "no cause is expected, not even that there is none"
    if (expect.verdict == "fix") != bool(expect.heals_when):
        yield f"the verdict is {expect.verdict} with {len(expect.heals_when)} conditions to heal"
    if all(cause.kind in CALM for cause in expect.root_cause) and expect.verdict != "no_action":
        yield f"nothing is wrong and the verdict is {expect.verdict}"


def the_guilty_object_is_in_the_cluster_or_in_the_repository(folder: IncidentFolder) -> Iterator[str]:
    there = [str(ObjectRef.of(thing)) for thing in (*folder.recording.objects, *folder.manifests)]
    owners = owners_of(folder.recording.objects)
    for cause in folder.recording.incident.expect.root_cause:
        if cause.object and not any(_names(cause, name, owners) for name in there):
            yield f"{cause.object} is nowhere"


def _names(cause: Cause, name: str, owners: dict[str, str]) -> bool:
    return object_matches(Claim(kind=cause.kind, object=name, confidence=1.0), cause, owners)


def the_ticket_says_something_and_was_written_before_now(folder: IncidentFolder) -> Iterator[str]:
    ticket = folder.recording.incident.ticket
    if len(ticket.description) < 50:
        yield f"the description is {ticket.description!r}"
    if ticket.created is not None and ticket.created >= folder.recording.now:
        yield f"it was written at {ticket.created}"


def every_check_is_there_and_asked(folder: IncidentFolder) -> Iterator[str]:
    expect = folder.recording.incident.expect
    commands = [Condition.read(raw).command for raw in (*expect.heals_when, *expect.harms_when)]
    asked = {folder.recording.folder / shlex.split(command)[0] for command in commands if command}
    there = set((folder.recording.folder / "checks").glob("*.py"))
    yield from (f"{file.name} does not exist" for file in sorted(asked - there))
    yield from (f"nothing asks {file.name}" for file in sorted(there - asked))


def the_head_neither_heals_nor_harms(folder: IncidentFolder) -> Iterator[str]:
    if (outcome := folder.outcome(folder.files, folder.manifests)) != "failing":
        yield f"it is {outcome} as it stands"


def without_the_guilty_commit_the_incident_heals(folder: IncidentFolder) -> Iterator[str]:
    """Of several faults the named commit may have brought only one; then another has to go with it."""
    expect = folder.recording.incident.expect
    shas = {subject: sha for sha, _, _, subject in folder.history[1:]}
    if expect.culprit in shas and expect.heals_when:
        others = shas.values() if len(expect.root_cause) > 1 else ()
        guilty = shas[expect.culprit]
        if not any(_heals_without(folder, {guilty: None, other: None}) for other in (guilty, *others)):
            yield f"without {expect.culprit!r} it does not heal"


def _heals_without(folder: IncidentFolder, guilty: Iterable[str]) -> bool:
    files = folder.files_without(*guilty)
    return folder.outcome(files, folder.rendered(files)) == "healed"


def deploying_nothing_is_harm(folder: IncidentFolder) -> Iterator[str]:
    if folder.recording.incident.expect.harms_when and (outcome := folder.outcome(folder.files, ())) != "harmed":
        yield f"without any object it is {outcome}"


def nothing_that_the_bot_can_see_gives_the_answer_away(folder: IncidentFolder) -> Iterator[str]:
    incident = folder.recording.incident
    kinds = [cause.kind for cause in incident.expect.root_cause if "_" in cause.kind]
    hidden = [incident.id, folder.recording.folder.name, *kinds]
    for text in folder.seen():
        if found := TELLTALE.search(text.lower()):
            yield f"{found.group()!r} in {text[max(0, found.start() - 60) : found.end() + 60]!r}"
        yield from (f"{word!r} stands in {text[:80]!r}" for word in hidden if word in text)


RULES = (
    the_answer_is_of_our_vocabulary,
    the_split_is_that_of_the_shelf,
    the_verdict_agrees_with_the_rest,
    the_guilty_object_is_in_the_cluster_or_in_the_repository,
    the_ticket_says_something_and_was_written_before_now,
    every_check_is_there_and_asked,
    the_head_neither_heals_nor_harms,
    without_the_guilty_commit_the_incident_heals,
    deploying_nothing_is_harm,
    nothing_that_the_bot_can_see_gives_the_answer_away,
)
