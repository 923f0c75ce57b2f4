"""What all verbs share: settings, connections with a deadline, output, exit codes."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import typer
from pydantic import ValidationError

from splitcart_common.dev import NoStackError, local_stack
from splitcart_common.ids import split_store_key, store_key
from splitcart_common.telemetry import Health, configure_logging
from splitcart_scraper.app import SERVICE, Parts, parts, relaying
from splitcart_scraper.retailers import retailer_of
from splitcart_scraper.settings import ScraperSettings
from splitcart_scraper.store import Q

CONNECT_SECONDS: Final = 15.0
NOT_WANTED: Final = 3
"""Exit code where the retailer cannot be reached or does not want us."""
INTERRUPTED: Final = 130
"""Exit code after Ctrl-C, as shells have it."""
STOPPED: Final = "stopped; what was kept by then is not lost, and the same command goes on from there"


class CommandError(Exception):
    """What cannot be done, in words for who asked for it."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def settings_for(company: str | None, base_url: str | None = None, *, dev: bool = False) -> ScraperSettings:
    """The settings of the environment, with what the options say instead; None: no retailer is to be asked."""
    try:
        if company is not None:
            retailer_of(company)
        settings = ScraperSettings()
        changes: dict[str, object] = _sandbox(settings, company) if dev else {}
        if company is not None and base_url is not None:
            changes["scraper_base_url"] = {**settings.scraper_base_url, company: base_url}
        return ScraperSettings(**{**settings.model_dump(), **changes})
    except ValidationError as error:
        raise CommandError(_wrong(error), 2) from None
    except ValueError as error:
        raise CommandError(str(error), 2) from None


def _wrong(error: ValidationError) -> str:
    """Each wrong setting by the name it has in the environment, and what is wrong with it."""
    return "; ".join(
        f"SPLITCART_{'_'.join(map(str, one['loc'])).upper()}: {one['msg'].removeprefix('Value error, ')}"
        for one in error.errors()
    )


def settings_to_visit(company: str, base_url: str | None, *, dev: bool) -> ScraperSettings:
    """The same for a verb that asks the retailer: CommandError where that would be done live and anonymously."""
    settings = settings_for(company, base_url, dev=dev)
    refused = settings.anonymous(company)
    if refused is not None:
        raise CommandError(str(refused), 2)
    return settings


def _sandbox(settings: ScraperSettings, company: str | None) -> dict[str, object]:
    """Where the sandbox of the data folder listens: it writes that down in the folder's state file."""
    try:
        stack = local_stack()
    except NoStackError as error:
        raise CommandError(str(error)) from None
    changes: dict[str, object] = {
        "kafka_bootstrap": stack.kafka,
        "postgres_dsn": stack.postgres_as(SERVICE),
        "clock": stack.clock,
    }
    if company is not None:
        if stack.simulator is None:  # never the live addresses instead
            raise CommandError("the sandbox runs without the simulated retailers: start it with `splitcart up`")
        changes["scraper_base_url"] = {**settings.scraper_base_url, company: f"{stack.simulator}/{company}"}
    return changes


def store_of(company: str, store: str) -> str:
    """The key of a store given as ``G452`` or ``aldi:G452``."""
    try:
        key = store if ":" in store else store_key(company, store)
        if split_store_key(key)[0] != company:
            raise CommandError(f"{store} is no store of {company}", 2)
    except ValueError as error:
        raise CommandError(str(error), 2) from None
    return key


@asynccontextmanager
async def connected(settings: ScraperSettings) -> AsyncIterator[Parts]:
    """Postgres and the HTTP client; CommandError where there is no server within some seconds."""
    health = Health()
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                made = await stack.enter_async_context(parts(settings, health))
        except TimeoutError:
            raise CommandError(_missing(health)) from None
        yield made


@asynccontextmanager
async def publishing(made: Parts) -> AsyncIterator[None]:
    """Relay the outbox meanwhile; at the end wait until it is empty, by this relay or another's."""
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                relay = await stack.enter_async_context(relaying(made))
        except TimeoutError:
            raise CommandError(_missing(made.health)) from None
        stop = asyncio.Event()
        task = asyncio.create_task(relay.run(stop), name="relay")
        try:
            yield
            await _drained(made)
        finally:
            stop.set()
            await task


async def _drained(made: Parts) -> None:
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            while await made.pool.fetchval(Q["outbox_waits"]):  # noqa: ASYNC110 - a table, not an event
                await asyncio.sleep(0.05)
    except TimeoutError:
        typer.echo(
            f"splitcart: Kafka has not taken all of it within {CONNECT_SECONDS:g} s. Nothing is lost: the rest "
            "waits in the outbox, and the next command, or the service, sends it",
            err=True,
        )


def _missing(health: Health) -> str:
    what = ", ".join(f"{name} ({why})" for name, why in health.missing.items() if name != "start")
    return (
        f"there is no {what or 'answer'} after {CONNECT_SECONDS:g} s: `splitcart up` starts a stack to use with "
        "--dev; SPLITCART_POSTGRES_DSN and SPLITCART_KAFKA_BOOTSTRAP name another"
    )


def execute(main: Coroutine[Any, Any, tuple[dict[str, object], str]], *, as_json: bool) -> None:
    """Run a verb to its end or to Ctrl-C, print what it has to say, and leave with the right code."""
    configure_logging("scraper", "console", "warning")
    try:
        content, words = asyncio.run(_until_signal(main))
    except CommandError as error:
        if as_json:
            typer.echo(json.dumps({"error": str(error)}))
        else:
            typer.secho(f"splitcart: {error}", err=True, fg=typer.colors.RED if sys.stderr.isatty() else None)
        raise typer.Exit(error.code) from None
    except asyncio.CancelledError:
        if as_json:
            typer.echo(json.dumps({"error": STOPPED}))
        else:
            typer.echo(f"splitcart: {STOPPED}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    typer.echo(json.dumps(content) if as_json else words)


async def _until_signal(
    main: Coroutine[Any, Any, tuple[dict[str, object], str]],
) -> tuple[dict[str, object], str]:
    task = asyncio.ensure_future(main)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    return await task
