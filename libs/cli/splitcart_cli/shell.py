"""What the verbs of this distribution share: settings, errors with an exit code, output, progress."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, Final

import msgspec
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from splitcart_common.dev import NoStackError, local_stack
from splitcart_common.kafka import UNAVAILABLE
from splitcart_common.reading import LogReader, reading
from splitcart_common.settings import Settings

CONNECT_SECONDS: Final = 15.0


class CommandError(Exception):
    """What cannot be done, in words for who asked for it. Exit code 1: it failed; 2: it was asked wrongly."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def settings_for(*, dev: bool) -> Settings:
    """The settings of the environment; with `dev`, broker and clock are those of the local stack."""
    try:
        settings = Settings()
        if not dev:
            return settings
        stack = local_stack()
        return Settings(**{**settings.model_dump(), "kafka_bootstrap": stack.kafka, "clock": stack.clock})
    except ValidationError as error:
        raise CommandError(f"a setting is wrong: {error}", 2) from None
    except NoStackError as error:
        raise CommandError(str(error)) from None


@asynccontextmanager
async def log_reader(settings: Settings) -> AsyncIterator[LogReader]:
    """A reader of the log; CommandError where there is no broker, or it goes away."""
    where = settings.kafka_bootstrap
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader = await stack.enter_async_context(reading(where, settings.topic_prefix))
        except (TimeoutError, *UNAVAILABLE) as error:
            raise CommandError(
                f"there is no broker at {where} ({error or type(error).__name__}): SPLITCART_KAFKA_BOOTSTRAP "
                "names one, `splitcart up` starts a stack to use with --dev"
            ) from None
        try:
            yield reader
        except UNAVAILABLE as error:
            if isinstance(error, BrokenPipeError):
                raise
            raise CommandError(f"the broker at {where} went away: {error}") from None


def execute(main: Coroutine[Any, Any, None], *, as_json: bool) -> None:
    """Run a verb to its end or to Ctrl-C, and leave with the right code."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it cannot do is said by us
    try:
        asyncio.run(_until_signal(main))
    except CommandError as error:
        if as_json:
            typer.echo(msgspec.json.encode({"error": str(error)}))
        else:
            typer.secho(f"splitcart: {error}", err=True, fg=typer.colors.RED if sys.stderr.isatty() else None)
        raise typer.Exit(error.code) from None
    except asyncio.CancelledError:
        raise typer.Exit(130) from None
    except BrokenPipeError:
        # Whoever read our lines has enough of them. What is buffered has nowhere to go at the exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None


async def _until_signal(main: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(main)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    await task


@contextmanager
def counting(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Progress x/total on a terminal, nothing elsewhere; what is yielded takes how much is done by now."""
    if not sys.stderr.isatty() or not total:
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    # Lines that go to the same terminal are printed above the bar; those that go to a file are let be.
    with Progress(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty()) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)
