"""The JSON document of a campaign: totals, splits, families, baselines, and every incident."""

from collections.abc import Sequence
from typing import Any, get_args

from sre_bot.evals.baselines import BASELINES
from sre_bot.evals.calibration import reliability
from sre_bot.evals.examination import Result, Stage, Unscored
from sre_bot.evals.fitting import fit
from sre_bot.evals.incidents import Split
from sre_bot.evals.summary import forecasts_of, summarise
from sre_bot.evals.variations import Variation

Json = dict[str, Any]


def document(stage: Stage, results: Sequence[Result], unscored: Sequence[Unscored]) -> Json:
    """Everything that is known, JSON-plain, in a fixed order."""
    ordered = sorted(results, key=lambda one: one.folder)
    by_split = {split: [one for one in ordered if one.split == split] for split in get_args(Split)}
    degraded = [(less.confidence, less.right) for one in by_split["tuned"] for less in one.degraded]
    calibration = fit(degraded, forecasts_of([one.marks for one in by_split["kept"]]))
    return {
        "stage": stage,
        "summary": summarise(ordered),
        "splits": {split: summarise(members) for split, members in by_split.items()},
        "families": {
            family: summarise([one for one in ordered if one.family == family])
            for family in sorted({one.family for one in ordered})
        },
        "baselines": {name: _baseline(name, ordered) for name in BASELINES},
        "reliability": [one.model_dump() for one in reliability(forecasts_of([one.marks for one in ordered]))],
        "calibration": calibration.model_dump() if calibration else None,
        "variations": [_variation(sort, ordered) for sort in ("rename", "shuffle") if _varied(sort, ordered)],
        "incidents": [_incident(one) for one in ordered],
        "problems": [one.model_dump() for one in sorted(unscored, key=lambda one: one.folder)],
    }


def _baseline(name: str, results: Sequence[Result]) -> Json:
    splits = {
        split: summarise([one.baselines[name] for one in results if one.split == split]) for split in get_args(Split)
    }
    families = {
        family: summarise([one.baselines[name] for one in results if one.family == family])
        for family in sorted({one.family for one in results})
    }
    return {**summarise([one.baselines[name] for one in results]), "splits": splits, "families": families}


def _varied(sort: str, results: Sequence[Result]) -> list[tuple[str, Variation]]:
    return [(one.incident, variation) for one in results for variation in one.variations if variation.sort == sort]


def _variation(sort: str, results: Sequence[Result]) -> Json:
    """How many incidents were told differently, and which of them then got another answer."""
    told = _varied(sort, results)
    changed = [incident for incident, variation in told if not variation.same]
    return {"sort": sort, "seed": told[0][1].seed, "incidents": len(told), "changed": changed}


def _incident(result: Result) -> Json:
    answer = result.answer.model_dump(mode="json")
    return {
        "incident": result.incident,
        "folder": result.folder,
        "split": result.split,
        "family": result.family,
        "verdict": answer["verdict"],
        "culprit": result.answer.culprit,
        "hypotheses": answer["hypotheses"],
        "expected": {
            "verdict": result.expected_verdict,
            "root_cause": [cause.model_dump(mode="json") for cause in result.expected],
            "culprit": result.expected_culprit,
            "decoys": list(result.decoys),
        },
        "marks": result.marks.model_dump(),
        "baselines": {name: one.marks.model_dump() for name, one in result.baselines.items()},
        "healed": result.healed,
        "harmed": result.harmed,
        "regression_valid": result.regression_valid,
        "as_in_parts": result.as_in_parts,
        "ending": result.ending.model_dump() if result.ending else None,
        "variations": [one.model_dump() for one in result.variations],
        "seconds": result.seconds,
        "reading_seconds": result.reading_seconds,
    }
