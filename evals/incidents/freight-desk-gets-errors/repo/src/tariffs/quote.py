"""The fare of one vehicle on one sailing."""

from dataclasses import dataclass
from datetime import date

from tariffs.bands import band_for, excess
from tariffs.money import rounded
from tariffs.seasons import FACTORS, season_for
from tariffs.surcharges import Surcharges

ROUTES = {"SKR-HLM": 2400, "SKR-LIN": 3900, "HLM-TJR": 1750}
"""Base fare in cents."""


@dataclass(frozen=True)
class Request:
    """What somebody wants to know."""

    route: str
    length_m: float
    day: date
    freight: bool = False


def quote(request: Request, surcharges: Surcharges) -> dict:
    """The fare in cents and what it is made of."""
    band = band_for(request.length_m)
    deck = ROUTES[request.route] * band.factor * FACTORS[season_for(request.day)]
    fuel = surcharges.fuel_per_metre * request.length_m
    beyond = surcharges.excess_per_metre * excess(request.length_m)
    papers = surcharges.freight_papers if request.freight else 0
    return {"band": band.name, "deck": rounded(deck), "total": rounded(deck + fuel + beyond + papers)}
