"""The scraper's settings, from the environment: each name below in upper case after ``SPLITCART_``."""

from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, PlainSerializer, PlainValidator, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from splitcart_common.settings import Settings
from splitcart_scraper.domain.budgets import DailyBudgets
from splitcart_scraper.domain.contact import is_public, names_contact
from splitcart_scraper.domain.rests import Rests
from splitcart_scraper.domain.schedule import OLDEST, POLICIES, Policy
from splitcart_scraper.retailers import RETAILERS, retailer_of


class ContactError(ValueError):
    """A live address would be visited without a contact in our user agent."""


def _budgets(value: object) -> DailyBudgets:
    return value if isinstance(value, DailyBudgets) else DailyBudgets.parse(str(value))


# NoDecode: the text of the variable is the value, not JSON.
BudgetsSetting = Annotated[DailyBudgets, NoDecode, PlainValidator(_budgets), PlainSerializer(str)]


class ScraperSettings(Settings):
    """One frozen value, checked at start. Virtual and wall seconds differ only where the clock is scaled."""

    # The delimiter is for scraper_base_url: SPLITCART_SCRAPER_BASE_URL_ALDI is its entry "aldi".
    model_config = SettingsConfigDict(
        env_prefix="SPLITCART_", env_nested_delimiter="_", frozen=True, extra="ignore"
    )

    scraper_companies: Annotated[tuple[str, ...], NoDecode] = Field(
        default=tuple(RETAILERS), description="companies to visit, comma separated"
    )
    scraper_workers: int = Field(
        default=2, ge=1, le=32, description="workers a company; they share one request at a time"
    )
    scraper_base_url: dict[str, str] = Field(
        default_factory=dict,
        description="addresses to use instead of all the live ones of a company, by company",
    )
    scraper_user_agent: str = Field(
        default="SplitCart/0.1 (price comparison; contact: admin@splitcart.example)",
        min_length=10,
        pattern=r"^[A-Za-z][A-Za-z_-]*/\S+ .+$",
        description="who we say we are, with a contact the retailer can reach; live addresses need a real one",
    )
    scraper_permission: dict[str, str] = Field(
        default_factory=dict,
        description="who of a company permitted what its robots.txt disallows, and when, by company",
    )
    scraper_gap_seconds: float = Field(
        default=1.5, ge=0, description="virtual, the least between two requests to one host; follows its latency"
    )
    scraper_longest_gap_seconds: float = Field(
        default=60, ge=0, description="virtual, the most; a robots.txt that asks for more is not visited"
    )
    scraper_timeout_seconds: float = Field(default=20, gt=0, description="wall, for one whole answer")
    scraper_max_bytes: int = Field(default=8 << 20, ge=1 << 10, description="the largest answer that is read")
    scraper_attempts: int = Field(default=3, ge=1, le=10, description="tries of one request before it has failed")
    scraper_backoff_seconds: float = Field(
        default=1, ge=0, description="wall, before the second try; doubles from there"
    )
    scraper_longest_wait_seconds: float = Field(
        default=120, ge=0, description="wall; a longer Retry-After abandons the scrape"
    )
    scraper_lease_seconds: float = Field(
        default=15, gt=0, description="wall; a process that does not renew what it holds for so long has died"
    )
    scraper_share_seconds: float = Field(
        default=5, gt=0, description="wall; how long a process keeps a host to itself while another waits for it"
    )
    scraper_rest_hours: float = Field(default=4, ge=0, description="virtual, before a store is handed out again")
    scraper_store_rest_hours: float = Field(
        default=20,
        ge=0,
        description="virtual, after a complete scrape, or until prices turn; anchors and lone stores",
    )
    scraper_member_rest_hours: float = Field(
        default=120, ge=0, description="virtual, after its last scrape, of a member whose confirmation stands"
    )
    scraper_resume_hours: float = Field(
        default=24, gt=0, description="virtual; an interrupted scrape older than this is abandoned, not resumed"
    )
    scraper_network_errors: int = Field(
        default=3, ge=1, description="scrapes abandoned for the network in a row before a company's workers pause"
    )
    scraper_pause_seconds: float = Field(
        default=30, gt=0, description="wall, the first such pause; doubles up to 20 times that"
    )
    scraper_pauses: int = Field(
        default=12,
        ge=1,
        description="pauses without one page read in between, after which a company's workers stop",
    )
    scraper_policy: str = Field(
        default=OLDEST.name, description="in which order stores that are due are scraped: " + ", ".join(POLICIES)
    )
    scraper_budget_per_day: BudgetsSetting = Field(
        default_factory=DailyBudgets,
        description="requests a company is sent a day (virtual, UTC): [<company>=]<n>, comma separated; 0: any",
    )
    scraper_discover_every_hours: float = Field(
        default=168, gt=0, description="virtual, between two store discoveries"
    )

    @field_validator("scraper_companies", mode="before")
    @classmethod
    def _companies(cls, value: object) -> object:
        companies = tuple(filter(None, value.replace(" ", "").split(","))) if isinstance(value, str) else value
        if isinstance(companies, tuple):
            for company in companies:
                retailer_of(str(company))
        return companies

    @field_validator("scraper_base_url", "scraper_permission")
    @classmethod
    def _of_companies(cls, value: dict[str, str]) -> dict[str, str]:
        for company in value:
            retailer_of(company)
        return value

    @field_validator("scraper_budget_per_day")
    @classmethod
    def _budgets_of_companies(cls, value: DailyBudgets) -> DailyBudgets:
        for company in value.own:
            retailer_of(company)
        return value

    @field_validator("scraper_base_url")
    @classmethod
    def _web_addresses(cls, value: dict[str, str]) -> dict[str, str]:
        for company, address in value.items():
            parts = urlsplit(address)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(f"{address!r} is no address for {company}: expected http(s)://host[:port][/path]")
        return value

    @field_validator("scraper_policy")
    @classmethod
    def _known_policy(cls, value: str) -> str:
        if value not in POLICIES:
            raise ValueError(f"there is no policy {value!r}: there are {', '.join(POLICIES)}")
        return value

    @property
    def policy(self) -> Policy:
        """The order in which stores that are due come."""
        return POLICIES[self.scraper_policy]

    @property
    def rests(self) -> Rests:
        """How long stores are left alone."""
        return Rests(
            claimed=timedelta(hours=self.scraper_rest_hours),
            scraped=timedelta(hours=self.scraper_store_rest_hours),
            released=timedelta(hours=self.scraper_member_rest_hours),
            turns=self.turns,
        )

    def base_url_of(self, company: str) -> str:
        """Where a company's requests go, without a slash at the end."""
        return self.scraper_base_url.get(company, retailer_of(company).base_url).rstrip("/")

    def anonymous(self, company: str) -> ContactError | None:
        """Why a company is not to be visited, None where it may be."""
        for address in (self.base_url_of(company), self.finder_url_of(company)):
            try:
                self.check_contact(address)
            except ContactError as error:
                return error
        return None

    def check_contact(self, address: str) -> None:
        """ContactError where an address is on the public internet and our user agent names nobody."""
        if is_public(address) and not names_contact(self.scraper_user_agent):
            raise ContactError(
                f"{address} is a live address, and nobody is visited anonymously: put a mail address or web page "
                "of yours into SPLITCART_SCRAPER_USER_AGENT, like "
                '"SplitCart/0.1 (price comparison; contact: you@your-domain)"; '
                f"now it is {self.scraper_user_agent!r}"
            )

    def finder_url_of(self, company: str) -> str:
        """Where its store finder is asked; an address that stands in for the retailer stands in for its finder."""
        return self.scraper_base_url.get(company, retailer_of(company).finder_url).rstrip("/")
