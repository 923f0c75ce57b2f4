"""A scraper on the real server, put together by its own composition root, with a tiny Aldi to visit."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

from cramjam import zstd

from splitcart_common.clock import ScaledClock
from splitcart_common.codec import decode
from splitcart_common.envelope import Envelope
from splitcart_common.events import Event
from splitcart_common.telemetry import Health
from splitcart_common.topics import PRODUCT_OBSERVED, STORES, Topic
from splitcart_sandbox.database import service_dsn
from splitcart_scraper import app
from splitcart_scraper.app import Parts
from splitcart_scraper.domain.schedule import NothingDue
from splitcart_scraper.handlers.observer import Finished
from splitcart_scraper.handlers.walk import Budget
from splitcart_scraper.handlers.workers import Company
from splitcart_scraper.retailers.aldi import Aldi
from splitcart_scraper.retailers.base import Request
from splitcart_scraper.settings import ScraperSettings
from splitcart_scraper.store import claims
from splitcart_scraper.store.claims import Claim
from tests.support.scraper.clocks import TwoHands
from tests.support.scraper.http import Server, serving
from tests.support.scraper.tiny_aldi import TinyAldi


def counted() -> Callable[[int], bytes]:
    """Entropy that is none: scrape ids a test can foresee."""
    numbers = count(1)
    return lambda size: next(numbers).to_bytes(size, "big")


class SmallTown(Aldi):
    """Aldi with one point to ask around: its other 138 have nothing near."""

    def discovery(self) -> Sequence[Request]:
        """The first of the requests."""
        return list(super().discovery())[:1]


@dataclass(slots=True)
class Rig:
    """A scraper and its retailer. `clock` stands still until a test moves it."""

    made: Parts
    company: Company
    aldi: TinyAldi
    server: Server
    clock: TwoHands

    def another(self, budget: int | None = None, observer: object = None) -> Company:
        """Another process's view of the same schema."""
        made = Parts(
            self.made.settings, self.clock, self.made.pool, self.made.client, Health(), "other", self.made.entropy
        )
        scope = "full" if budget is None else "part"
        return app.company_of(made, "aldi", scope=scope, budget=Budget(budget), observer=observer)  # type: ignore[arg-type]

    async def discover(self) -> None:
        """Put the retailer's stores on record."""
        assert await self.company.discovery.now() is not None

    async def claim(self, company: Company | None = None, number: int = 1) -> Claim | NothingDue:
        """The next store for a worker."""
        company = company or self.company
        terms = company.terms_of(number)
        return await claims.claim_next(self.made.pool, "aldi", terms, self.made.entropy)

    async def scrape(self, company: Company | None = None, number: int = 1) -> Finished:
        """Claim and scrape the next store."""
        company = company or self.company
        claim = await self.claim(company, number)
        assert isinstance(claim, Claim), claim
        return await company.scraper.scrape(claim, company.terms_of(number))

    async def said(self, topic: Topic = PRODUCT_OBSERVED) -> list[tuple[str, Envelope, Event]]:
        """What waits in the outbox for a topic, in order: key, envelope, event."""
        rows = await self.made.pool.fetch(
            "SELECT key, value, compressed, header_names, header_values FROM outbox WHERE topic = $1 ORDER BY id",
            topic.on_broker(self.made.settings.topic_prefix),
        )
        found = []
        for row in rows:
            headers = zip((name.decode() for name in row["header_names"]), row["header_values"], strict=True)
            value = bytes(zstd.decompress(row["value"])) if row["compressed"] else row["value"]
            found.append((row["key"].decode(), *decode(topic, headers, value)))
        return found

    async def kinds(self) -> list[str]:
        """The types of what waits for product-observed."""
        return [event.TYPE for _, _, event in await self.said()]

    async def state(self, scrape: UUID) -> str:
        """The state of a run."""
        found: str = await self.made.pool.fetchval("SELECT state FROM runs WHERE scrape_id = $1", scrape)
        return found

    async def requests_made(self) -> int:
        """What is on the company's account, of all days."""
        made: int = await self.made.pool.fetchval("SELECT coalesce(sum(requests), 0)::int FROM requests_made")
        return made

    def environment(self, broker: str = "127.0.0.1:9", prefix: str = "splitcart") -> dict[str, str]:
        """The variables for a command of its own process: the same stack, retailer and virtual time."""
        return {
            "SPLITCART_POSTGRES_DSN": self.made.settings.postgres_dsn,
            "SPLITCART_KAFKA_BOOTSTRAP": broker,
            "SPLITCART_TOPIC_PREFIX": prefix,
            "SPLITCART_CLOCK": str(ScaledClock(self.clock.now(), datetime.now(UTC), 1.0)),
            "SPLITCART_SCRAPER_BASE_URL_ALDI": self.made.settings.base_url_of("aldi"),
            "SPLITCART_SCRAPER_GAP_SECONDS": "0",
            "SPLITCART_SCRAPER_BACKOFF_SECONDS": "0.01",
        }

    async def hush(self, topic: Topic = STORES) -> None:
        """Forget what waits for a topic."""
        await self.made.pool.execute(
            "DELETE FROM outbox WHERE topic = $1", topic.on_broker(self.made.settings.topic_prefix)
        )


def settings_of(database: str, base_url: str, **more: object) -> ScraperSettings:
    """Settings for tests: no gap, short waits."""
    fields: dict[str, object] = {
        "postgres_dsn": service_dsn(database, "scraper"),
        "scraper_base_url": {"aldi": f"{base_url}/aldi"},
        "scraper_companies": "aldi",
        "scraper_gap_seconds": 0,
        "scraper_longest_gap_seconds": 0,
        "scraper_backoff_seconds": 0.01,
        "scraper_timeout_seconds": 2,
        "scraper_pause_seconds": 0.1,
    }
    return ScraperSettings(**{**fields, **more})


@asynccontextmanager
async def rigged(
    database: str, aldi: TinyAldi | None = None, clock: TwoHands | None = None, **settings: object
) -> AsyncIterator[Rig]:
    """A rig on a test's own database."""
    aldi = aldi or TinyAldi()
    clock = clock or TwoHands()
    async with serving(aldi) as server:
        chosen = settings_of(database, server.url, **settings)
        async with app.parts(chosen, Health(), clock=clock, entropy=counted()) as made:
            company = app.company_of(made, "aldi")
            company.discovery = replace(company.discovery, retailer=SmallTown())
            yield Rig(made, company, aldi, server, clock)


def later(rig: Rig, **span: float) -> None:
    """Move both hands on."""
    rig.clock.at += timedelta(**span)
