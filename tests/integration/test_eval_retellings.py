import shutil
from pathlib import Path

import pytest
import yaml

from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.errors import BadRecording
from sre_bot.evals.answers import Answer
from sre_bot.evals.case import Case, read_case
from sre_bot.evals.diagnosing import diagnose
from sre_bot.evals.grounding import Folder, ungrounded
from sre_bot.evals.renaming import rename, subjects_of
from sre_bot.evals.shuffling import shuffle
from sre_bot.evals.variations import renamed, shuffled
from sre_bot.evals.vocabulary import WORD, forms_of, ports_of, words_of
from sre_bot.lab.recording import Recording
from tests.acceptance_stage import INCIDENTS

INCIDENT = INCIDENTS / "scans-pile-up"
THRESHOLD = 0.6


@pytest.fixture
async def case() -> Case:
    return await read_case(INCIDENT)


def texts(folder: Path) -> str:
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return "\n".join(f"{file.relative_to(folder)}\n{file.read_text(errors='replace')}" for file in files)


def test_no_name_of_before_is_left_in_a_renamed_incident(tmp_path: Path) -> None:
    renaming = rename(INCIDENT, tmp_path / "copy", seed=1)
    recording = Recording.load(INCIDENT)
    after = texts(tmp_path / "copy")
    words = {word.lower() for word in WORD.findall(after)}
    assert len(renaming.words) > 5 and renaming.words >= words_of(recording)
    assert not renaming.words & words
    assert not [subject for subject in subjects_of(INCIDENT) if len(subject) > 12 and subject in after]
    assert ports_of(recording) and not ports_of(recording) & ports_of(Recording.load(tmp_path / "copy"))
    assert {*recording.namespaces} & {*Recording.load(tmp_path / "copy").namespaces} == {"default"}


async def test_a_renamed_incident_has_the_same_shape(tmp_path: Path, case: Case) -> None:
    rename(INCIDENT, tmp_path / "copy", seed=1)
    other = await read_case(tmp_path / "copy")
    assert len(other.snapshot.objects) == len(case.snapshot.objects)
    assert len(other.snapshot.logs) == len(case.snapshot.logs)
    assert case.history is not None and other.history is not None
    assert [one.authored_at for one in other.history.commits] == [one.authored_at for one in case.history.commits]
    assert [len(one.changes) for one in other.history.commits] == [len(one.changes) for one in case.history.commits]


def test_a_seed_always_gives_the_same_names_and_another_seed_others(tmp_path: Path) -> None:
    first, again, other = (rename(INCIDENT, tmp_path / str(place), seed) for place, seed in enumerate((1, 1, 2)))
    assert first == again
    assert first.letters != other.letters and first.ports != other.ports


def test_names_that_differ_in_a_letter_still_do(tmp_path: Path) -> None:
    renaming = rename(INCIDENT, tmp_path / "copy", seed=1)
    word = sorted(renaming.words)[0]
    assert renaming.text(f"{word}-config") != renaming.text(f"{word}-config2")
    assert renaming.text(word.upper()) == renaming.text(word).upper() != word.upper()
    assert renaming.text(f"{word}_url {word}-7f9c") == f"{renaming.text(word)}_url {renaming.text(word)}-7f9c"


def test_other_forms_of_a_name_are_renamed_with_it() -> None:
    recording, words = Recording.load(INCIDENT), frozenset({"invoicing", "map"})
    assert forms_of(recording, words, {"invoices", "invoiced", "voice", "mapping"}) == {"invoices", "invoiced"}


def test_the_answer_is_the_same_under_other_names(case: Case) -> None:
    answer = Answer.of(diagnose(case, THRESHOLD))
    told = renamed(INCIDENT, answer, THRESHOLD, seed=7)
    assert told.same, told
    assert answer.first is not None and answer.first.object not in told.answered


def test_an_answer_that_clings_to_a_name_is_noticed(case: Case) -> None:
    answer = Answer.of(diagnose(case, THRESHOLD))
    assert answer.first is not None
    elsewhere = answer.first.model_copy(update={"object": "Deployment/imaging/another"})
    clinging = answer.model_copy(update={"hypotheses": (elsewhere,)})
    assert not renamed(INCIDENT, clinging, THRESHOLD, seed=7).same
    assert not shuffled(case, clinging, THRESHOLD, seed=7).same


def test_shuffling_changes_the_order_and_nothing_else(case: Case) -> None:
    other = shuffle(case, seed=3)
    assert other.snapshot.objects != case.snapshot.objects
    assert other.snapshot.events != case.snapshot.events
    assert sorted(map(str, other.snapshot.objects)) == sorted(map(str, case.snapshot.objects))
    assert other.history is not None and case.history is not None
    assert list(other.history.tree.files) != list(case.history.tree.files)
    assert other.history.tree.files == case.history.tree.files
    assert [one.sha for one in other.history.commits] == [one.sha for one in case.history.commits]
    assert shuffled(case, Answer.of(diagnose(case, THRESHOLD)), THRESHOLD, seed=3).same


def test_a_history_in_a_bundle_cannot_be_renamed(tmp_path: Path) -> None:
    folder = tmp_path / "bundled"
    folder.mkdir()
    (folder / "repo.bundle").touch()
    with pytest.raises(BadRecording, match="cannot be renamed"):
        rename(folder, tmp_path / "copy", seed=1)


async def test_what_is_expected_never_reaches_the_diagnosis(tmp_path: Path, case: Case) -> None:
    copy = tmp_path / INCIDENT.name
    shutil.copytree(INCIDENT, copy)
    described = yaml.safe_load((copy / "incident.yaml").read_text())
    described["expect"] = {"verdict": "no_action", "culprit": "another", "root_cause": [{"kind": "healthy"}]}
    described |= {"split": "kept", "family": "calm"}
    (copy / "incident.yaml").write_text(yaml.safe_dump(described))
    assert diagnose(await read_case(copy), THRESHOLD) == diagnose(case, THRESHOLD)


def test_a_claim_must_stand_in_what_it_cites(case: Case) -> None:
    folder = Folder(Recording.load(INCIDENT), case.history)
    finding = diagnose(case, THRESHOLD).hypotheses[0].finding
    assert ungrounded(finding, folder) == ""
    elsewhere = ObjectRef(kind="Deployment", namespace="imaging", name="nowhere-at-all")
    assert "the object 'nowhere-at-all'" in ungrounded(finding.model_copy(update={"object": elsewhere}), folder)
    assert "the observed value 'seen by nobody'" in ungrounded(
        finding.model_copy(update={"observed": "seen by nobody"}), folder
    )
    assert ungrounded(finding.model_copy(update={"evidence": ()}), folder) == "it cites no evidence"


def test_a_quotation_that_does_not_stand_in_its_source_is_named(case: Case) -> None:
    folder = Folder(Recording.load(INCIDENT), case.history)
    finding = diagnose(case, THRESHOLD).hypotheses[0].finding
    first, *rest = finding.evidence
    invented = first.model_copy(update={"excerpt": "0/4 nodes are purple"})
    said = ungrounded(finding.model_copy(update={"evidence": (invented, *rest)}), folder)
    assert "quotes 'purple', which does not stand in" in said
    nowhere = first.model_copy(update={"subject": "Pod/imaging/gone"})
    said = ungrounded(finding.model_copy(update={"evidence": (nowhere, *rest)}), folder)
    assert "where nothing is recorded" in said
