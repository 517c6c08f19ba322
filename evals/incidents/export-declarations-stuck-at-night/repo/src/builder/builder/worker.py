"""Takes declarations from the queue and builds their documents."""

from builder.period import period_label, previous_period


def build(declaration, day):
    return {
        "id": declaration.id,
        "period": period_label(day),
        "corrects": period_label(previous_period(day)),
    }
