"""What the verbs of replay share: settings, errors with an exit code, progress."""

import asyncio
import json
import logging
import signal
import sys
import time
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Final, Self

import asyncpg
import psycopg
import typer
from aiokafka.errors import KafkaError
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from splitcart_common.dev import NoStackError, local_stack
from splitcart_common.telemetry import configure_logging
from splitcart_ingest.app import SERVICE
from splitcart_ingest.replay.errors import RefusedError, StoppedError
from splitcart_ingest.settings import IngestSettings

LINE_SECONDS: Final = 1.0
"""How often progress is written where there is no terminal."""


def settings_for(*, dev: bool) -> IngestSettings:
    """The settings of the environment; with `dev`, those of the local stack. RefusedError where one is wrong."""
    try:
        settings = IngestSettings()
        if not dev:
            return settings
        stack = local_stack()
        there = {
            "kafka_bootstrap": stack.kafka,
            "postgres_dsn": stack.postgres_as(SERVICE),
            "clock": stack.clock,
        }
        return IngestSettings.model_validate({**settings.model_dump(), **there})
    except ValidationError as error:
        raise RefusedError(f"a setting is wrong: {error}") from None
    except NoStackError as error:
        raise RefusedError(str(error)) from None


def execute(main: Coroutine[Any, Any, bool], *, as_json: bool) -> None:
    """Run a verb to its end or to Ctrl-C, and leave with the right code: 1 too where it says False."""
    configure_logging(SERVICE, "console", "warning")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it cannot do is said by us
    try:
        good = asyncio.run(_until_signal(main))
    except RefusedError as error:
        _fail(str(error), 2, as_json=as_json)
    except StoppedError as error:
        _fail(f"{error}. What is folded stays: the same command goes on", 1, as_json=as_json)
    except (OSError, KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError, psycopg.Error) as error:
        _fail(
            f"broker or server failed ({type(error).__name__}: {error}): SPLITCART_KAFKA_BOOTSTRAP and "
            "SPLITCART_POSTGRES_DSN say where they are. What is folded stays",
            1,
            as_json=as_json,
        )
    except asyncio.CancelledError:
        raise typer.Exit(130) from None
    if not good:
        raise typer.Exit(1)


def _fail(why: str, code: int, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"error": why}))
    else:
        typer.secho(f"splitcart: {why}", err=True, fg=typer.colors.RED if sys.stderr.isatty() else None)
    raise typer.Exit(code) from None


async def _until_signal(main: Coroutine[Any, Any, bool]) -> bool:
    task = asyncio.ensure_future(main)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    return await task


class Watching:
    """Progress: a bar on a terminal, else a line a second; with `as_json` lines of JSON on standard output."""

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        self._console = Console(stderr=True)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._first: tuple[float, int] | None = None
        self._written = 0.0

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._json:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
            )
            self._bar = Progress(*columns, TimeRemainingColumn(), console=self._console, transient=True)
            self._bar.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def say(self, text: str) -> None:
        """Tell what is being done."""
        if not self._json:
            self._console.print(text, highlight=False)

    def folded(self, done: int, total: int) -> None:
        """So many messages are folded, of so many."""
        now = time.monotonic()
        began, before = self._first = self._first or (now, done)
        rate = (done - before) / (now - began) if now > began else 0.0
        if self._bar is not None:
            if self._task is None:
                self._task = self._bar.add_task("messages", total=total, completed=done, rate="")
            self._bar.update(self._task, completed=done, total=total, rate=f"{rate:,.0f}/s")
        elif now - self._written >= LINE_SECONDS:
            self._written = now
            left = round((total - done) / rate, 1) if rate else None
            if self._json:
                line = {"folded": done, "total": total, "rate": round(rate, 1), "seconds_left": left}
                typer.echo(json.dumps(line))
            else:
                self._console.print(f"{done:,} of {total:,} messages, {rate:,.0f} a second", highlight=False)
