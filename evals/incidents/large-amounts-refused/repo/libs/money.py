"""Money as all services write it."""


def parse(text):
    """Cents of a text like 12.30 or 1,200.00."""
    whole, _, cents = text.replace(",", "").partition(".")
    return int(whole) * 100 + int((cents + "00")[:2])
