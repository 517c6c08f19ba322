import json
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from sre_bot.cli.evaluating import evaluate
from sre_bot.domain.errors import BadInput
from sre_bot.evals.examination import Order, Result, Unscored, examine
from sre_bot.evals.incidents import find_incidents
from sre_bot.evals.page import page
from sre_bot.evals.regressions import Baseline
from sre_bot.evals.report import document
from sre_bot.evals.shelf import Shelf
from tests.acceptance_stage import INCIDENTS

INCIDENT = INCIDENTS / "scans-pile-up"
KEYS = (
    *("incidents", "kind_at_1", "object_at_1", "both_at_1", "both_at_3", "culprit_at_1", "decoy_hits"),
    *("verdict_accuracy", "false_alarms", "healed", "harmed", "regression_valid", "grounded", "brier"),
    *("brier_skill", "ece", "seconds_p50", "seconds_p95"),
)


def order(folder: Path) -> Order:
    return Order(folder, "diagnosis", 0.6)


@pytest.fixture(scope="module")
def result() -> Result:
    found = examine(order(INCIDENT))
    assert isinstance(found, Result), found
    return found


@pytest.fixture
def report(result: Result) -> dict[str, Any]:
    hostile = Unscored(incident="x", folder="/<script>alert(1)</script>", problem="<b>broken</b>")
    return document("diagnosis", [result], [hostile])


def test_a_folder_of_folders_is_searched_and_each_incident_found_once(tmp_path: Path) -> None:
    for name in ("a/one", "a/deep/two", "b/three", "b/three/nested"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "incident.yaml").touch()
    found = find_incidents([tmp_path, tmp_path / "a"])
    assert [folder.name for folder in found] == ["two", "one", "three"]
    assert [folder.name for folder in find_incidents([tmp_path], "t*")] == ["two", "three"]
    with pytest.raises(BadInput, match="whose name matches 'nothing'"):
        find_incidents([tmp_path], "nothing")


def test_the_report_has_every_total_for_all_splits_families_and_baselines(report: dict[str, Any]) -> None:
    groups = [report["summary"], *report["splits"].values(), *report["families"].values()]
    groups += list(report["baselines"].values())
    assert all(set(KEYS) <= set(group) for group in groups)
    assert set(report["splits"]) == {"tuned", "kept"}
    assert set(report["baselines"]) == {"latest_commit", "newest_warning", "always_abstain"}
    assert report["splits"]["kept"]["both_at_1"] is None, "null where nothing applies"
    assert report["summary"]["healed"] is None


def test_an_incident_shows_what_was_answered_and_what_was_expected(report: dict[str, Any]) -> None:
    (incident,) = report["incidents"]
    first = incident["hypotheses"][0]
    assert {"kind", "object", "confidence", "evidence"} <= set(first) and first["evidence"]
    assert 1 <= len(incident["hypotheses"]) <= 5
    assert incident["verdict"] == incident["expected"]["verdict"] == "fix"
    assert first["grounded"] is True
    assert incident["marks"]["both_at_1"] is True
    assert report["baselines"]["always_abstain"]["both_at_1"] == 0.0


def test_the_same_folder_gets_the_same_result_each_time(result: Result) -> None:
    again = examine(order(INCIDENT))
    assert isinstance(again, Result)
    assert again.model_copy(update={"seconds": result.seconds, "reading_seconds": result.reading_seconds}) == result


def test_a_broken_folder_is_told_and_not_raised(tmp_path: Path) -> None:
    (tmp_path / "incident.yaml").write_text("just text\n")
    found = examine(order(tmp_path))
    assert isinstance(found, Unscored) and "incident.yaml" in found.problem


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)


def test_the_page_needs_nothing_else_and_escapes_what_comes_from_folders(report: dict[str, Any]) -> None:
    written = page(report)
    tags = _Tags()
    tags.feed(written)
    assert "script" not in tags.seen and "b" not in tags.seen
    assert not {"link", "img", "iframe"} & set(tags.seen)
    assert tags.seen.count("svg") == 2
    assert "http" not in written.replace("http-equiv", "")
    assert "scans-pile-up" in written and "&lt;script&gt;" in written


def test_a_result_is_taken_from_the_shelf_until_its_folder_changes(tmp_path: Path, result: Result) -> None:
    folder = tmp_path / INCIDENT.name
    shutil.copytree(INCIDENT, folder)
    shelf = Shelf.at(tmp_path / "shelf")
    assert shelf.find(order(folder)) is None
    shelf.put(order(folder), result)
    assert shelf.find(order(folder)) == result
    assert shelf.find(Order(folder, "diagnosis", 0.6, rename=1)) is None, "another question"
    with (folder / "incident.yaml").open("a") as file:
        file.write("note: changed\n")
    assert shelf.find(order(folder)) is None


def test_the_command_scores_what_it_can_and_holds_the_baseline(
    tmp_path: Path, result: Result, capsys: pytest.CaptureFixture[str]
) -> None:
    gate, scores = tmp_path / "baseline.json", tmp_path / "scores.json"
    Baseline.of(document("diagnosis", [result], [])).write(gate)
    folders = tmp_path / "incidents"
    shutil.copytree(INCIDENT, folders / INCIDENT.name)
    described = yaml.safe_load((INCIDENT / "incident.yaml").read_text())
    described["expect"]["culprit"] = "somebody else's commit"
    (folders / INCIDENT.name / "incident.yaml").write_text(yaml.safe_dump(described))
    (folders / "broken").mkdir()
    (folders / "broken" / "incident.yaml").write_text("just text\n")

    assert evaluate([folders], baseline=gate, json_file=scores) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert f"tuned/{INCIDENT.name}: culprit at 1 was right and is wrong" in said
    assert "broken: " in said
    written = json.loads(scores.read_text())
    assert [one["incident"] for one in written["incidents"]] == [INCIDENT.name]
    assert [one["incident"] for one in written["problems"]] == ["broken"]


def test_a_finished_campaign_is_not_done_again(tmp_path: Path, result: Result) -> None:
    scores, kept = tmp_path / "scores.json", result.model_copy(update={"seconds": 1234.5})
    shelf = Shelf.at(tmp_path / "shelf")
    shelf.put(order(INCIDENT), kept)
    assert evaluate([INCIDENT], json_file=scores, resume=tmp_path / "shelf") == 0
    assert json.loads(scores.read_text())["incidents"][0]["seconds"] == 1234.5


def test_what_makes_no_sense_together_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="--baseline"):
        evaluate([INCIDENT], update=True)
    with pytest.raises(BadInput, match="leave out --stage full"):
        evaluate([INCIDENT], stage="full", rename=1)
    (tmp_path / "baseline.json").write_text("{}")
    with pytest.raises(BadInput, match="is no baseline"):
        evaluate([INCIDENT], baseline=tmp_path / "baseline.json")
