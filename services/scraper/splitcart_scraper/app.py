"""The composition root: what the service and its commands are made of, started and stopped in one place."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import httpx
import psycopg
import structlog
from aiokafka import AIOKafkaProducer

from splitcart_common import kafka, postgres
from splitcart_common.clock import Clock
from splitcart_common.consumer import ConsumerLoop, run_until_first_ends
from splitcart_common.dead_letters import Tolerance
from splitcart_common.lanes import Limits
from splitcart_common.migrations import migrate
from splitcart_common.outbox import Relay
from splitcart_common.postgres import Pool
from splitcart_common.retry import until_there
from splitcart_common.telemetry import Health
from splitcart_common.topics import ALL
from splitcart_scraper.domain.scrape import Scope
from splitcart_scraper.fetch import Fetcher, Patience, make_client
from splitcart_scraper.handlers.barcodes import BarcodeReader, ProductPages
from splitcart_scraper.handlers.discovery import Discovery
from splitcart_scraper.handlers.messages import TOPICS, ScraperHandler
from splitcart_scraper.handlers.observer import Observer, Silent
from splitcart_scraper.handlers.prefill import Export, export_address
from splitcart_scraper.handlers.scrape import Scraper
from splitcart_scraper.handlers.walk import Budget, Walker
from splitcart_scraper.handlers.workers import Company, Strikes
from splitcart_scraper.pace import Pace
from splitcart_scraper.retailers import retailer_of
from splitcart_scraper.retailers.coles_product import ColesProducts
from splitcart_scraper.robots import Robots, agent_of
from splitcart_scraper.settings import ScraperSettings
from splitcart_scraper.store import SCHEMA
from splitcart_scraper.store.budgets import Account
from splitcart_scraper.store.claims import Terms
from splitcart_scraper.store.tokens import PostgresRobots, PostgresTokens

log = structlog.get_logger()

SERVICE: Final = "scraper"
OUR_TOPICS: Final = tuple(t for t in ALL if SERVICE in t.producers or SERVICE in t.consumers)
PRODUCT_PAGES: Final[Mapping[str, ProductPages]] = {"coles": ColesProducts()}
"""The companies whose listings bear no barcodes, and whose product pages do."""


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
    account = _account(made, name)
    fetcher = _fetcher(made, name, base_url, account)
    scraper = Scraper(
        walker=Walker(retailer, fetcher, clock, budget or Budget()),
        account=account,
        pool=made.pool,
        clock=clock,
        prefix=settings.topic_prefix,
        lease=lease,
        resume_limit=timedelta(hours=settings.scraper_resume_hours),
        turns=settings.turns,
        entropy=made.entropy,
        observer=observer or Silent(),
    )
    discovery = Discovery(
        retailer=retailer,
        fetcher=fetcher if finder_url == base_url else _fetcher(made, name, finder_url, account),
        account=account,
        pool=made.pool,
        clock=clock,
        prefix=settings.topic_prefix,
        owner=made.owner,
        lease=lease,
        every=timedelta(hours=settings.scraper_discover_every_hours),
        retry=timedelta(seconds=settings.scraper_pause_seconds),
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
        policy=settings.policy,
        requests_a_day=settings.scraper_budget_per_day.of(name),
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
        most_pauses=settings.scraper_pauses,
        entropy=made.entropy,
    )


def pages_of(company: str) -> ProductPages:
    """The product pages of a company; ValueError for one whose pages say nothing that its listings do not."""
    if company not in PRODUCT_PAGES:
        only = ", ".join(PRODUCT_PAGES)
        raise ValueError(
            f"{company} shows its barcodes in its listings, or nowhere: only {only} has a pass for them"
        )
    return PRODUCT_PAGES[company]


def barcodes_of(made: Parts, name: str) -> BarcodeReader:
    """The barcode pass of a company; ValueError for one that has none."""
    settings, account = made.settings, _account(made, name)
    return BarcodeReader(
        company=name,
        pages=pages_of(name),
        fetcher=_fetcher(made, name, settings.base_url_of(name), account),
        pool=made.pool,
        clock=made.clock,
        prefix=settings.topic_prefix,
        owner=made.owner,
        lease=timedelta(seconds=settings.scraper_lease_seconds),
        troubles=settings.scraper_network_errors,
        account=account,
        entropy=made.entropy,
    )


def export_of(made: Parts, company: str, url: str) -> Export:
    """Another gateway's export of a company's listings, at the pace of a retailer; ValueError for no address."""
    origin, path = export_address(url)
    return Export(_fetcher(made, "prefill", origin), origin, path, company)


def _account(made: Parts, company: str) -> Account:
    return Account(company, made.pool, made.clock, made.settings.scraper_budget_per_day.of(company))


def _fetcher(made: Parts, company: str, address: str, account: Account | None = None) -> Fetcher:
    """Requests to one host of a company, at that host's own pace; ContactError for a live one and no contact."""
    settings = made.settings
    settings.check_contact(address)
    host = httpx.URL(address).netloc.decode() + httpx.URL(address).path.rstrip("/")
    pace = Pace(
        host,
        made.owner,
        PostgresTokens(made.pool),
        made.clock,
        gap_seconds=settings.scraper_gap_seconds,
        lease_seconds=settings.scraper_lease_seconds,
        share_seconds=settings.scraper_share_seconds,
        longest_gap_seconds=settings.scraper_longest_gap_seconds,
    )
    robots = Robots(
        company,
        host,
        agent_of(settings.scraper_user_agent),
        PostgresRobots(made.pool),
        settings.scraper_permission.get(company, ""),
    )
    patience = Patience(
        attempts=settings.scraper_attempts,
        backoff_seconds=settings.scraper_backoff_seconds,
        longest_wait_seconds=settings.scraper_longest_wait_seconds,
        timeout_seconds=settings.scraper_timeout_seconds,
        max_bytes=settings.scraper_max_bytes,
        longest_gap_seconds=settings.scraper_longest_gap_seconds,
    )
    # Another gateway's API is on no company's account, and not for its robots.txt to speak of.
    visited = (None, None) if account is None else (robots, account.sent)
    return Fetcher(company, address, made.client, pace, made.clock, patience, *visited)


async def run(
    settings: ScraperSettings, health: Health, stop: asyncio.Event, stopped: list[str] | None = None
) -> None:
    """The service: every company's workers, the relay, and the consumer, until `stop`.

    A company whose workers have stopped is added to `stopped`, with why; when none is left, the service ends. One
    that would be visited live and anonymously is left out: /readyz says why.
    """
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
            limits=Limits(dead=Tolerance.of(settings)),
        )
        companies = []
        for name in settings.scraper_companies:
            refused = settings.anonymous(name)
            if refused is None:
                companies.append(company_of(made, name))
            else:
                health.wait_for(f"retailer {name}", str(refused))
                log.error("not visited", company=name, why=str(refused))
        health.has("start")

        async def work(company: Company) -> None:
            why = await company.run(settings.scraper_workers)
            if stopped is not None:
                stopped.append(why)

        async def work_all() -> None:
            async with asyncio.TaskGroup() as group:
                for company in companies:
                    group.create_task(work(company))

        await run_until_first_ends(stop.wait(), consumer.run(stop), work_all())
