"""Until when somebody may object, and when we answer."""

from deskkit.workdays import add_workdays

ANSWER_WITHIN = {"simple": 20, "building": 60}


def answer_by(received, sort):
    """The day on which an objection has to be answered."""
    return add_workdays(received, ANSWER_WITHIN[sort])
