"""Plain words for people: ages, distances, companies, specials."""

from collections.abc import Mapping
from typing import Final

COMPANY_NAMES: Final[Mapping[str, str]] = {
    "aldi": "ALDI",
    "coles": "Coles",
    "woolworths": "Woolworths",
    "iga": "IGA",
}

SPECIALS: Final[Mapping[str, str]] = {
    "special": "On special",
    "half": "Half price",
    "down": "Price dropped",
    "new": "New",
    "clearance": "Clearance",
}
"""What the retailer's tag means; ``none`` is no tag."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def company_name(company: str) -> str:
    """How the company writes itself."""
    return COMPANY_NAMES.get(company, company)


def age(seconds: int) -> str:
    """How long ago, rounded to the unit that matters: ``just now``, ``5 minutes ago``, ``26 hours ago``."""
    if seconds < 2 * _MINUTE:
        return "just now"
    if seconds < 1.5 * _HOUR:
        return f"{round(seconds / _MINUTE)} minutes ago"
    if seconds < 1.5 * _DAY:
        return f"{round(seconds / _HOUR)} hours ago"
    return f"{round(seconds / _DAY)} days ago"


def distance(kilometres: float | None) -> str:
    """``350 m``, ``1.2 km``, ``14 km``, with a space that does not break; '' where it is unknown."""
    if kilometres is None:
        return ""
    if kilometres < 0.995:
        return f"{max(10, round(kilometres * 100) * 10)}\N{NO-BREAK SPACE}m"
    return f"{kilometres:.{1 if kilometres < 9.95 else 0}f}\N{NO-BREAK SPACE}km"


def saving(price: int, was: int | None) -> str:
    """``save 33%``; an empty text where nothing is saved. Cents in."""
    if was is None or was <= price:
        return ""
    return f"save {round(100 * (was - price) / was)}%"
