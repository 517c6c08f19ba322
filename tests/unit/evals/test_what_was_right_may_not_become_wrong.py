from typing import Any

from sre_bot.evals.regressions import TOTALS, Baseline, changes, regressions

RIGHT = {"verdict_right": True, "both_at_1": True, "culprit_at_1": True, "decoy_hit": False, "false_alarm": None}


def baseline(healed: bool | None = None, harmed: bool | None = None, **marks: Any) -> Baseline:
    report = {
        "stage": "diagnosis",
        "summary": dict.fromkeys(TOTALS) | {"incidents": 1, "both_at_1": float(bool(marks.get("both_at_1", True)))},
        "incidents": [
            {"incident": "tills", "split": "kept", "marks": RIGHT | marks, "healed": healed, "harmed": harmed}
        ],
    }
    return Baseline.of(report)


def test_the_same_marks_are_no_regression() -> None:
    assert regressions(baseline(), baseline()) == []


def test_a_lost_mark_is_named_with_its_incident() -> None:
    assert regressions(baseline(), baseline(both_at_1=False)) == ["kept/tills: both at 1 was right and is wrong"]
    assert regressions(baseline(), baseline(verdict_right=False)) == [
        "kept/tills: verdict right was right and is wrong"
    ]


def test_a_decoy_that_is_hit_now_is_a_regression() -> None:
    assert regressions(baseline(), baseline(decoy_hit=True)) == ["kept/tills: decoy hit was right and is wrong"]


def test_what_was_wrong_may_stay_wrong_or_become_right() -> None:
    wrong = baseline(both_at_1=False)
    assert regressions(wrong, wrong) == []
    assert regressions(wrong, baseline()) == []


def test_healing_that_is_lost_and_new_harm_are_regressions_where_both_were_played() -> None:
    healed = baseline(healed=True, harmed=False)
    assert len(regressions(healed, baseline(healed=False, harmed=True))) == 2
    assert regressions(healed, baseline()) == []


def test_an_incident_that_was_not_run_is_left_out() -> None:
    nothing = baseline().model_copy(update={"incidents": {}})
    assert regressions(baseline(), nothing) == []


def test_changed_totals_are_told() -> None:
    assert changes(baseline(), baseline(both_at_1=False)) == {"both_at_1": (1.0, 0.0)}
