"""Which listings a store carries: what the company lists at all, what a zone takes of it, what a store adds.

Most of what a company lists is core, carried by every store; each optional listing is carried by half of them.
Membership changes in eras (see `processes`), so a range moves by the profile's churn a week.
"""

from typing import Final, NamedTuple

import numpy as np

from splitcart_sandbox.retailers.noise import I64, U64, Bools, below, draws, draws_at, salt
from splitcart_sandbox.retailers.processes import FOREVER, WEEK, eras
from splitcart_sandbox.retailers.profiles import CompanyProfile

LISTED: Final = 0.97
"""Share of a company's pool that it lists at any moment; the rest is yet to come or delisted."""

OPTIONAL: Final = 0.5
"""Share of stores that carry an optional listing."""


class Carried(NamedTuple):
    """Whether each listing is carried, and until when that stands."""

    mask: Bools
    until: I64


def core_share(overlap: float) -> float:
    """Share of core listings with which two stores share `overlap` of their ranges."""
    return OPTIONAL * (overlap - OPTIONAL) / ((1 - OPTIONAL) * (1 + OPTIONAL - overlap))


def range_share(profile: CompanyProfile) -> float:
    """Share of the pool that one store carries."""
    core = core_share(profile.range_overlap)
    return LISTED * profile.zone_overlap * (core + (1 - core) * OPTIONAL)


class Ranges:
    """The ranges of one company's stores over an array of listings."""

    def __init__(self, profile: CompanyProfile, seed: int, listings: U64) -> None:
        self._profile, self._seed, self._company = profile, seed, profile.company
        core = core_share(profile.range_overlap)
        self._listings = listings
        self._listed = draws(listings, salt(seed, self._company, "listed"))
        self._core = below(draws(listings, salt(seed, self._company, "core")), core)
        half = profile.churn_per_week / 2
        local = (1 - core) * 2 * OPTIONAL * (1 - OPTIONAL) / (core + (1 - core) * OPTIONAL)
        self._listed_seconds = round(WEEK * 2 * (1 - LISTED) / half) if half else 0
        self._local_seconds = round(WEEK * local / half) if half else 0

    def listed(self, at: int) -> Carried:
        """What the company lists anywhere."""
        era = eras(self._listed, self._listed_seconds, at)
        return Carried(below(draws_at(self._listed, 2 * era.number + 1), LISTED), era.until)

    def in_zone(self, zone: int) -> Bools:
        """What a zone takes of it; it never changes."""
        if self._profile.zone_overlap == 1.0:
            return np.ones(len(self._listings), np.bool_)
        draw = draws(self._listings, salt(self._seed, self._company, "zone range", zone))
        return below(draw, self._profile.zone_overlap)

    def at_store(self, store: str, at: int) -> Carried:
        """What a store would take of everything its zone offers."""
        base = draws(self._listings, salt(self._seed, "range", store))
        era = eras(base, self._local_seconds, at)
        chosen = below(draws_at(base, 2 * era.number + 1), OPTIONAL)
        return Carried(self._core | chosen, np.where(self._core, FOREVER, era.until))
