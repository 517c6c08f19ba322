"""The sentences that every form of a report shares."""

from sre_bot.cli.report.contents import Relation, Report

HEADS: dict[Relation, str] = {
    "cause": "Cause",
    "independent": "Another fault, beside the first",
    "alternative": "Or instead",
    "possible": "Also possible",
    "calm": "Well",
}


def verdict_of(report: Report) -> str:
    """What is to be done, as a clause."""
    if report.verdict == "no_action":
        return "Nothing needs to be done"
    if report.verdict == "needs_human":
        return "A person has to decide: this is not for me to repair"
    if report.causes and report.causes[0].proposal.diff:
        return "I would propose this change for review"
    return "It can be repaired in the repository, but I know no change that passes every check"
