"""How each company prices and ranges: the numbers of the simulated country, one profile a company."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Final

from splitcart_sandbox.retailers.processes import DAY
from splitcart_sandbox.retailers.zones import MakeZoning, Zone, by_geography, by_owner


@dataclass(frozen=True, slots=True)
class CompanyProfile:
    """The numbers of one company. Shares are fractions of a store's range.

    `range_overlap` is the share of a store's range that another store of its zone has too, `zone_overlap` the
    same for two zones (1: zones range alike); `turn_share` is the share of prices that change at the weekly turn,
    `drift_per_day` the share that changes at any hour otherwise, `churn_per_week` the share of a store's range
    that comes or goes: half of it everywhere (new and delisted), half at that store. `special_depths` are
    percentages off, drawn evenly: repeat one to make it likelier. Clearances are local to a store. With
    `web_shop_only` an outlet without a web shop is no store of the country: there is nothing to be read of it.
    """

    company: str
    listings: int
    zoning: MakeZoning
    range_overlap: float
    turn_share: float
    drift_per_day: float
    special_depths: tuple[int, ...]
    zone_overlap: float = 1.0
    churn_per_week: float = 0.002
    clearance_share: float = 0.005
    clearance_days: tuple[int, int] = (3, 14)
    moves_per_month: float = 0.01
    closures_per_month: float = 0.002
    web_shop_only: bool = False

    @property
    def special_share(self) -> float:
        """Share of prices on special in a week, so that `turn_share` of them change from one week to the next."""
        return 1 - sqrt(1 - self.turn_share)

    @property
    def drift_seconds(self) -> int:
        """How long a regular price stands on the mean; 0 for ever."""
        return round(DAY / self.drift_per_day) if self.drift_per_day else 0

    @property
    def clearance_chance(self) -> float:
        """Chance of a clearance in each slot of `CLEARANCE_SLOT`, so that `clearance_share` are in one."""
        return self.clearance_share * CLEARANCE_SLOT * 2 / (sum(self.clearance_days) * DAY)


CLEARANCE_SLOT: Final = 28 * DAY

CHAIN_ZONES: Final = (
    Zone("nsw-metro", 0.015, ("NSW", "ACT"), ("metro",)),
    Zone("nsw-country", 0.030, ("NSW", "ACT"), ("country",)),
    Zone("vic-metro", 0.020, ("VIC",), ("metro",)),
    Zone("vic-country", 0.035, ("VIC",), ("country",)),
    Zone("qld-metro", 0.025, ("QLD",), ("metro",)),
    Zone("qld-country", 0.040, ("QLD",), ("country",)),
    Zone("sa", 0.030, ("SA",), ("metro", "country")),
    Zone("wa", 0.045, ("WA",), ("metro", "country")),
    Zone("tas", 0.050, ("TAS",), ("metro", "country")),
    Zone("remote", 0.270, ("NSW", "NT", "QLD", "SA", "WA"), ("remote",)),
)
"""How Coles and Woolworths price: two zones 3 to 10 % apart, the remote one of every state 30 % from each."""

PROFILES: Final[Mapping[str, CompanyProfile]] = {
    "aldi": CompanyProfile(
        company="aldi",
        listings=2_600,
        zoning=by_geography(
            Zone("east", 0.02, ("NSW", "ACT")),
            Zone("south", 0.02, ("VIC", "SA", "TAS")),
            Zone("north-west", 0.02, ("QLD", "WA", "NT")),
        ),
        range_overlap=0.91,
        turn_share=0.03,
        drift_per_day=0.0005,
        special_depths=(10, 15, 20, 25, 30),
    ),
    "coles": CompanyProfile(
        company="coles",
        listings=15_000,
        zoning=by_geography(*CHAIN_ZONES),
        range_overlap=0.945,
        turn_share=0.30,
        drift_per_day=0.005,
        special_depths=(10, 20, 20, 20, 25, 30, 30, 40, 50, 50, 50, 50),
    ),
    "iga": CompanyProfile(
        company="iga",
        listings=2_200,
        # Two owners have 35 % of their prices in common: what neither has made its own, and steps that meet.
        zoning=by_owner(largest=80, single_share=0.6, apart=0.415),
        range_overlap=0.90,
        # Two stores of different owners share 56 % of a range: this of what their owners take, and 90 % of that.
        zone_overlap=0.56 / 0.90,
        turn_share=0.20,
        drift_per_day=0.005,
        special_depths=(10, 15, 20, 20, 25, 30, 35, 40, 50),
        web_shop_only=True,
    ),
    "woolworths": CompanyProfile(
        company="woolworths",
        listings=15_000,
        zoning=by_geography(*CHAIN_ZONES),
        range_overlap=0.945,
        turn_share=0.30,
        drift_per_day=0.005,
        special_depths=(10, 10, 10, 20, 20, 20, 25, 30, 40, 40, 50, 50, 50),
    ),
}
"""Every company the simulator can play, by its key."""
