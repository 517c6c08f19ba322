"""What every incident folder promises, one function a rule: it yields a complaint for each place where it is broken.

The rules hold for tuned and kept folders alike, so they ask for what any cluster and any team would show, and never
for one particular incident.
"""

from collections.abc import Callable, Iterator

from tests.incident_folder import IncidentFolder
from tests.incident_rules import answers, histories, logs, objects, workloads

Rule = Callable[[IncidentFolder], Iterator[str]]

RULES: tuple[Rule, ...] = (*answers.RULES, *histories.RULES, *objects.RULES, *workloads.RULES, *logs.RULES)


def complaints(folder: IncidentFolder) -> list[str]:
    """Every promise that a folder breaks, with the name of the rule."""
    return [f"{rule.__name__}: {complaint}" for rule in RULES for complaint in rule(folder)]
