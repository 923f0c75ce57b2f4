"""The composition root: what the service and its commands are made of, started and stopped in one place."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import httpx
import psycopg
from aiokafka import AIOKafkaProducer

from splitcart_common import kafka, postgres
from splitcart_common.clock import Clock
from splitcart_common.consumer import ConsumerLoop, run_until_first_ends
from splitcart_common.migrations import migrate
from splitcart_common.outbox import Relay
from splitcart_common.postgres import Pool
from splitcart_common.retry import until_there
from splitcart_common.telemetry import Health
from splitcart_common.topics import ALL
from splitcart_scraper.domain.scrape import Scope
from splitcart_scraper.fetch import Fetcher, Patience, make_client
from splitcart_scraper.handlers.discovery import Discovery
from splitcart_scraper.handlers.messages import TOPICS, ScraperHandler
from splitcart_scraper.handlers.observer import Observer, Silent
from splitcart_scraper.handlers.scrape import Scraper
from splitcart_scraper.handlers.walk import Budget, Walker
from splitcart_scraper.handlers.workers import Company, Strikes
from splitcart_scraper.pace import Pace
from splitcart_scraper.retailers import retailer_of
from splitcart_scraper.settings import ScraperSettings
from splitcart_scraper.store import SCHEMA
from splitcart_scraper.store.claims import Terms
from splitcart_scraper.store.tokens import PostgresTokens

SERVICE: Final = "scraper"
OUR_TOPICS: Final = tuple(t for t in ALL if SERVICE in t.producers or SERVICE in t.consumers)
DISCOVERY_RETRY: Final = timedelta(seconds=30)
"""Wall; when a discovery that was not complete is tried again."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What everything else is made from; `owner` names this process among all that ever ran."""

    settings: ScraperSettings
    clock: Clock
    pool: Pool
    client: httpx.AsyncClient
    health: Health
    owner: str
    entropy: Callable[[int], bytes]


@asynccontextmanager
async def parts(
    settings: ScraperSettings,
    health: Health,
    *,
    clock: Clock | None = None,
    entropy: Callable[[int], bytes] = os.urandom,
) -> AsyncIterator[Parts]:
    """Postgres, migrated, and the HTTP client; waits for the server as long as it takes."""

    async def bring_up_to_date() -> None:
        await asyncio.to_thread(migrate, settings.postgres_dsn, SCHEMA, ["splitcart_scraper"])

    async with AsyncExitStack() as stack:
        await until_there("postgres", bring_up_to_date, unavailable=(psycopg.OperationalError,), health=health)
        pool = await until_there(
            "postgres",
            lambda: postgres.create_pool(settings.postgres_dsn, schema=SCHEMA, service=SERVICE, max_size=8),
            unavailable=postgres.UNAVAILABLE,
            health=health,
        )
        stack.push_async_callback(pool.close)
        client = make_client(settings.scraper_user_agent, settings.scraper_timeout_seconds)
        stack.push_async_callback(client.aclose)
        owner = f"{socket.gethostname()}/{os.getpid()}-{os.urandom(3).hex()}"
        yield Parts(settings, clock or settings.clock, pool, client, health, owner, entropy)


@asynccontextmanager
async def relaying(made: Parts) -> AsyncIterator[Relay]:
    """The relay of our outbox with a started producer; the topics we use are there."""
    settings = made.settings

    async def connect() -> AIOKafkaProducer:
        await kafka.ensure_topics(settings.kafka_bootstrap, settings.topic_prefix, OUR_TOPICS)
        return await kafka.start_producer(settings.kafka_bootstrap, f"splitcart-{SERVICE}")

    producer = await until_there("kafka", connect, unavailable=kafka.UNAVAILABLE, health=made.health)
    try:
        yield Relay(SERVICE, SCHEMA, made.pool, producer)
    finally:
        await producer.stop()


def company_of(
    made: Parts,
    name: str,
    *,
    scope: Scope = "full",
    budget: Budget | None = None,
    observer: Observer | None = None,
) -> Company:
    """One company's workers and discovery."""
    settings, clock = made.settings, made.clock
    retailer = retailer_of(name)
    lease = timedelta(seconds=settings.scraper_lease_seconds)
    base_url, finder_url = settings.base_url_of(name), settings.finder_url_of(name)
    fetcher = _fetcher(made, name, base_url)
    scraper = Scraper(
        walker=Walker(retailer, fetcher, clock, budget or Budget()),
        pool=made.pool,
        clock=clock,
        prefix=settings.topic_prefix,
        lease=lease,
        resume_limit=timedelta(hours=settings.scraper_resume_hours),
        entropy=made.entropy,
        observer=observer or Silent(),
    )
    discovery = Discovery(
        retailer=retailer,
        fetcher=fetcher if finder_url == base_url else _fetcher(made, name, finder_url),
        pool=made.pool,
        clock=clock,
        prefix=settings.topic_prefix,
        owner=made.owner,
        lease=lease,
        every=timedelta(hours=settings.scraper_discover_every_hours),
        retry=DISCOVERY_RETRY,
        entropy=made.entropy,
    )
    terms = Terms(
        owner=made.owner,
        now=clock.now(),
        wall=clock.wall(),
        lease=lease,
        parser_version=retailer.parser_version,
        rests=settings.rests,
        scope=scope,
    )
    return Company(
        name=name,
        scraper=scraper,
        discovery=discovery,
        pool=made.pool,
        clock=clock,
        health=made.health,
        terms=terms,
        strikes=Strikes(settings.scraper_network_errors),
        pause_seconds=settings.scraper_pause_seconds,
        entropy=made.entropy,
    )


def _fetcher(made: Parts, company: str, address: str) -> Fetcher:
    """Requests to one host of a company, at that host's own pace."""
    settings = made.settings
    pace = Pace(
        httpx.URL(address).netloc.decode() + httpx.URL(address).path.rstrip("/"),
        made.owner,
        PostgresTokens(made.pool),
        made.clock,
        gap_seconds=settings.scraper_gap_seconds,
        lease_seconds=settings.scraper_lease_seconds,
        share_seconds=settings.scraper_share_seconds,
    )
    patience = Patience(
        attempts=settings.scraper_attempts,
        backoff_seconds=settings.scraper_backoff_seconds,
        longest_wait_seconds=settings.scraper_longest_wait_seconds,
        timeout_seconds=settings.scraper_timeout_seconds,
        max_bytes=settings.scraper_max_bytes,
    )
    return Fetcher(company, address, made.client, pace, made.clock, patience)


async def run(settings: ScraperSettings, health: Health, stop: asyncio.Event) -> None:
    """The service: every company's workers, the relay, and the consumer, until `stop`."""
    # The relay stops last: what a worker's last transaction has to say is still said.
    async with parts(settings, health) as made, relaying(made) as relay, relay.running():
        consumer = ConsumerLoop(
            service=SERVICE,
            purpose="schedule",
            topics=TOPICS,
            handler=ScraperHandler(),
            pool=made.pool,
            bootstrap=settings.kafka_bootstrap,
            prefix=settings.topic_prefix,
            clock=made.clock,
            health=health,
            instance=settings.instance,
        )
        companies = [company_of(made, name) for name in settings.scraper_companies]
        health.has("start")
        await run_until_first_ends(
            stop.wait(),
            consumer.run(stop),
            *(company.run(settings.scraper_workers) for company in companies),
        )
