"""What a run of the matrix has shown, as numbers."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]


def ring_report(results: list[Json], registered: int, seconds: float) -> Json:
    """The numbers of one ring; ``results`` are its scenarios, those of the naive arm among them."""
    ours = [one for one in results if one.get("arm") != "naive"]
    naive = [one for one in results if one.get("arm") == "naive"]
    struck = [one for one in ours if one["struck"]]
    return {
        "scenarios": len(ours),
        "distinct_pairs": len({_pair(one) for one in struck}),
        "registered_pairs": registered,
        "not_struck": len(ours) - len(struck),
        "kills": sum(one["kills"] for one in ours),
        "duplicates": sum(one["duplicates"] for one in ours),
        "lost": sum(one["lost"] for one in ours),
        "disagreements": sum(len(one["disagreements"]) for one in ours),
        "unknown_effects": sum(one["unknown"] for one in ours),
        "naive_arm_scenarios": len(naive),
        "naive_arm_failures": sum(failed(one) for one in naive),
        "seconds": round(seconds, 1),
        "scenarios_per_second": round(len(results) / seconds, 2) if seconds else 0.0,
        "slowest_recovery_seconds": round(max((one.get("recovery", 0.0) for one in ours), default=0.0), 2),
        "by_fault": _tally(ours, "fault"),
        "by_boundary": _tally(ours, "boundary"),
        "failures": [one for one in ours if failed(one)][:50],
        "never_struck": sorted({_pair(one) for one in ours} - {_pair(one) for one in struck}),
    }


def total_report(rings: dict[str, Json], seed: int) -> Json:
    """All rings and their sum."""
    summed = (
        "scenarios", "distinct_pairs", "registered_pairs", "not_struck", "kills", "duplicates", "lost", "disagreements",
        "unknown_effects", "naive_arm_scenarios", "naive_arm_failures", "seconds",
    )  # fmt: skip
    total: Json = {key: sum(ring[key] for ring in rings.values()) for key in summed}
    for tally in ("by_fault", "by_boundary"):
        total[tally] = _added(ring[tally] for ring in rings.values())
    return {"seed": seed, "total": total, "rings": rings}


def failed(result: Json) -> bool:
    """Whether the oracle objects to a scenario."""
    return bool(result["duplicates"] or result["lost"] or result["disagreements"])


def _added(tallies: Iterable[Json]) -> Json:
    total: dict[str, Counter[str]] = {}
    for tally in tallies:
        for name, counts in tally.items():
            total.setdefault(name, Counter()).update(counts)
    return {name: dict(total[name]) for name in sorted(total)}


def _pair(result: Json) -> tuple[str, str, str]:
    return result["boundary"], result["point"], result["fault"]


def _tally(results: Iterable[Json], key: str) -> Json:
    scenarios: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    for one in results:
        scenarios[one[key]] += 1
        failures[one[key]] += failed(one)
    return {name: {"scenarios": scenarios[name], "failures": failures[name]} for name in sorted(scenarios)}
