"""Every recorded incident is what a cluster, a repository and a team would leave behind.

The rules are in ``tests/incident_rules``. Whether the diagnosis of each is right is the business of ``make evals``.
"""

from pathlib import Path

import pytest

from sre_bot.domain.finding import FaultKind
from sre_bot.evals.incidents import Expected
from tests.incident_folder import FOLDERS, IncidentFolder
from tests.incident_rules import complaints


@pytest.mark.parametrize("path", FOLDERS, ids=lambda path: path.name)
def test_a_folder_keeps_every_rule(path: Path, tmp_path: Path) -> None:
    assert complaints(IncidentFolder.check_out(path, tmp_path)) == []


def test_every_kind_of_fault_occurs() -> None:
    causes = [cause for path in FOLDERS for cause in Expected.read(path).expect.root_cause]
    assert {kind.value for kind in FaultKind} - {cause.kind for cause in causes} == set()


def test_every_verdict_is_expected_somewhere_and_abstaining_is_not_the_way_to_score() -> None:
    verdicts = [Expected.read(path).expect.verdict for path in FOLDERS]
    assert set(verdicts) == {"fix", "no_action", "needs_human"}
    assert verdicts.count("fix") > len(verdicts) / 2


def test_no_two_folders_are_one_incident() -> None:
    names = [path.name for path in FOLDERS]
    assert len(set(names)) == len(names)
