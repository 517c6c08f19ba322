"""Service selectors: the labels that the meant workload's pods carry."""

import difflib
from collections.abc import Iterator
from typing import Any

from sre_bot.domain.fix import Fix
from sre_bot.repair.case import Case
from sre_bot.repair.conditions.objects import pod_template, table
from sre_bot.repair.fields import with_value
from sre_bot.repair.manifests import Manifest


def pod_labels(case: Case) -> Iterator[Fix]:
    """The selector's keys with the values of the one workload that is meant; keys that it lacks go."""
    selector = table(case.manifest.body, "spec", "selector")
    meant = _meant(case, selector)
    if meant is None:
        return
    labels = table(pod_template(meant.body), "metadata", "labels")
    wanted = {key: labels[key] for key in selector if key in labels}
    if not wanted:
        return
    yield case.fix(
        "pod_labels",
        ((case.manifest, with_value(case.manifest.body, ("spec", "selector"), wanted)),),
        title=f"Let {case.label()} select the pods of {case.label(meant)}",
        explanation=f"{case.complaint} The pods of {case.label(meant)} carry {wanted}.",
        risk="Medium: the Service sends to other pods than before; that they are meant is read from their labels.",
    )


def _meant(case: Case, selector: dict[str, Any]) -> Manifest | None:
    """The workload with most labels in common, or the one named like the Service; None where that is not one."""
    here = [one for one in case.manifests.objects if one.ref.namespace in ("", case.finding.object.namespace)]
    workloads = [one for one in here if table(pod_template(one.body), "metadata", "labels")]
    ranked = sorted(((_likeness(case, selector, one), index) for index, one in enumerate(workloads)), reverse=True)
    if not ranked or ranked[0][0] < 0.5 or (len(ranked) > 1 and ranked[0][0] == ranked[1][0]):
        return None
    return workloads[ranked[0][1]]


def _likeness(case: Case, selector: dict[str, Any], workload: Manifest) -> float:
    labels = table(pod_template(workload.body), "metadata", "labels")
    shared = sum(1 for key, value in selector.items() if labels.get(key) == value)
    near = difflib.SequenceMatcher(None, case.manifest.ref.name, workload.ref.name).ratio()
    return shared + (near if set(selector) & set(labels) else 0.0)
