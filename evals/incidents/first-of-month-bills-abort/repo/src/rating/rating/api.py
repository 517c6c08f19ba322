"""HTTP of the rating service."""

from rating.prorate import daily_average, used_share


def overview(account, today):
    return {
        "share": used_share(account.start, today),
        "average": daily_average(account.minutes, account.start, today),
    }
