"""Kubernetes quantities: ``500m``, ``1.5Gi``, ``2e3``."""

import re
from decimal import Decimal
from typing import Any

_FORM = re.compile(r"([+-]?[0-9]+\.?[0-9]*|[+-]?\.[0-9]+)(?:([KMGTPE]i)|([numkMGTPE])|[eE]([+-]?[0-9]+))?")
_BINARY = {suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)}
_DECIMAL = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal("1e3"),
    "M": Decimal("1e6"),
    "G": Decimal("1e9"),
    "T": Decimal("1e12"),
    "P": Decimal("1e15"),
    "E": Decimal("1e18"),
}


def quantity(value: Any) -> Decimal | None:
    """The number that a quantity stands for, None for anything that is none."""
    if isinstance(value, bool):
        return None
    found = _FORM.fullmatch(str(value).strip())
    if not found:
        return None
    number, binary, decimal, exponent = found.groups()
    if exponent:
        return Decimal(number) * Decimal(10) ** int(exponent)
    return Decimal(number) * (_BINARY.get(binary) or _DECIMAL.get(decimal) or Decimal(1))
