"""Settings of the simulator, from the environment: prefix ``SPLITCART_SIMULATOR_``, and the shared clock."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from splitcart_common.clock import ScaledClock
from splitcart_common.settings import ClockSetting
from splitcart_sandbox.retailers.faults import PROFILES as FAULT_PROFILES
from splitcart_sandbox.retailers.imported import read
from splitcart_sandbox.retailers.profiles import PROFILES
from splitcart_sandbox.retailers.world import WorldSettings


class SimulatorSettings(BaseSettings):
    """One frozen value, checked at start."""

    model_config = SettingsConfigDict(
        env_prefix="SPLITCART_SIMULATOR_", frozen=True, extra="ignore", populate_by_name=True
    )

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8090, ge=0, le=65535, description="0: any free port, printed at start")
    seed: int = Field(default=7, description="the country is a function of it")
    companies: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("aldi",), description=f"comma separated, of {', '.join(PROFILES)}"
    )
    stores: int = Field(default=0, ge=0, description="stores a company; 0: all there are")
    listings: int = Field(default=0, ge=0, description="listings a store, about; 0: as many as a real one")
    zones: int | None = Field(default=None, ge=1, description="price zones a company, at most its own number")
    origin: datetime = Field(
        default=datetime(2026, 7, 1, tzinfo=UTC), description="stores move and close after it"
    )
    faults: str = Field(default="none", description=" | ".join(FAULT_PROFILES))
    latency_seconds: float = Field(
        default=0.001, ge=0, description="wall seconds an answer takes; more makes overlapping requests plainer"
    )
    slow_seconds: float = Field(default=60.0, gt=0, description="how late a timed-out answer is, wall seconds")
    retry_after_seconds: int = Field(default=2, ge=0, description="what 429 and 503 ask for")
    crawl_delay_seconds: float = Field(
        default=0.0,
        ge=0,
        description="virtual seconds that robots.txt asks for between requests; 0: it asks nothing",
    )
    products: Path | None = Field(
        default=None, description="JSON lines of product rows, served in place of a company's own"
    )
    clock: ClockSetting = Field(
        default_factory=ScaledClock.real, validation_alias=AliasChoices("clock", "SPLITCART_CLOCK")
    )

    @field_validator("companies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(name.strip() for name in value.split(",")) if isinstance(value, str) else value

    @field_validator("faults")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in FAULT_PROFILES:
            raise ValueError(f"must be one of {', '.join(FAULT_PROFILES)}")
        return value

    def world(self) -> WorldSettings:
        """The country these settings ask for.

        ValueError for a company there is none of, a file of products that cannot be used, or one of other
        companies only.
        """
        products = read(self.products) if self.products is not None else {}
        if products and not products.keys() & set(self.companies):
            raise ValueError(
                f"{self.products} has products of {', '.join(products)} only, and the companies are "
                f"{', '.join(self.companies)}"
            )
        return WorldSettings(
            seed=self.seed,
            companies=self.companies,
            stores=self.stores,
            listings=self.listings,
            zones=self.zones,
            origin=self.origin,
            products=products,
        )
