"""The verbs `up`, `down`, `status`, `logs` and `reset`.

Exit codes: 0 done; 1 something could not be done, and the message says what; 2 a wrong option; for `status`
also 1 some process is not running, 3 no sandbox runs. With ``--json`` one line of JSON is printed on standard
output, ``{"error": …}`` where it failed; progress goes to standard error.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from splitcart_sandbox import background, imports, show, tail
from splitcart_sandbox.errors import SandboxError
from splitcart_sandbox.folder import Folder, State, home_path
from splitcart_sandbox.signals import run_until_signal
from splitcart_sandbox.supervisor import State as ProcessState

app = typer.Typer(no_args_is_help=True, help="All of SplitCart on this machine.")

NOT_RUNNING: Final = 3

Home = Annotated[
    Path | None,
    typer.Option("--home", help="The data folder. Default: $SPLITCART_HOME, else .splitcart in this directory."),
]
Products = Annotated[
    Path | None,
    typer.Option(
        help="Products that the retailers sell instead of their own, as JSON lines (libs/sandbox/README.md)."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One line of JSON on standard output instead of text.")]


@app.command()
def up(
    *,
    home: Home = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="In the background: return once everything is ready.")
    ] = False,
    speed: Annotated[
        float | None,
        typer.Option(help="Virtual seconds a second: 14400 is four hours. Default: 1, or what the folder had."),
    ] = None,
    start: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"],
            help="Virtual time to start at (UTC if it has no zone). Default: now, or where the folder stopped.",
        ),
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the pages and the API. 0: 8080 or any free one, kept.")] = 0,
    kafka_port: Annotated[int, typer.Option(help="Port of the broker. 0: any free one, kept.")] = 0,
    postgres_port: Annotated[int, typer.Option(help="Port of the database. 0: any free one, kept.")] = 0,
    services: Annotated[
        str, typer.Option(help="Which services to run, comma separated; none: broker and database alone.")
    ] = "all",
    products: Products = None,
    as_json: AsJson = False,
) -> None:
    """Start Kafka, Postgres, the simulated retailers and every service; Ctrl-C stops all of it.

    Data stays in the data folder, so the next `up` goes on where this one stopped, virtual clock included.
    SPLITCART_KAFKA_BOOTSTRAP and SPLITCART_POSTGRES_DSN, where set, are used instead of an own broker or
    server. Anything named SPLITCART_… reaches the services: SPLITCART_SIMULATOR_STORES=20 gives a small country.
    """
    if start is not None and start.tzinfo is None:
        start = start.replace(tzinfo=UTC)
    path = home_path(home)
    with _explained(as_json):
        extra = imports.variables(products)
        if detach:
            options = _options(
                services=services,
                speed=speed,
                start=start,
                port=port,
                kafka_port=kafka_port,
                postgres_port=postgres_port,
                products=products and products.resolve(),
            )
            _show_up(background.start(path, options), path, as_json=as_json)
            return

        from splitcart_sandbox.services import choose  # noqa: PLC0415 - clients of Kafka and Postgres
        from splitcart_sandbox.up import sandbox  # noqa: PLC0415   are slow to import for the other verbs

        chosen = choose(services)

        async def main() -> None:
            async with sandbox(
                path,
                speed=speed,
                start=start,
                services=chosen,
                gateway_port=port,
                kafka_port=kafka_port,
                postgres_port=postgres_port,
                extra=extra,
                report=show.progress,
            ) as running:
                await running.wait_ready()
                running.stack.state.phase = "up"
                running.stack.save()
                _show_up(running.stack.state, path, as_json=as_json)
                show.progress("running; Ctrl-C stops it")
                await asyncio.Event().wait()

        run_until_signal(main)


@app.command()
def demo(
    *,
    home: Annotated[Path, typer.Option("--home", help="The demo's own data folder, begun anew each time.")] = Path(
        ".splitcart-demo"
    ),
    seconds: Annotated[
        str | None,
        typer.Option("--for", help="How long to run once all is ready, like 60s. Default: until Ctrl-C."),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(
            min=1,
            help="Virtual seconds a second: 14400 is a day every six. Default: what makes --for a fortnight, "
            "at most that.",
        ),
    ] = None,
    companies: Annotated[str, typer.Option(help="Which retailers, comma separated, or all.")] = "all",
    stores: Annotated[int, typer.Option(min=1, help="Stores in all, shared evenly by the retailers.")] = 152,
    listings: Annotated[int, typer.Option(min=50, help="Listings a store, about.")] = 410,
    seed: Annotated[int, typer.Option(help="Another number, another country.")] = 7,
    faults: Annotated[str, typer.Option(help="How hostile the retailers are: none, mild or hostile.")] = "none",
    products: Products = None,
    port: Annotated[int, typer.Option(help="Port of the page. 0: 8080 or any free one.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Show the main job at work on a small country of real stores and products, then check it.

    A real broker and a real server are started; a scraper visits the simulated retailers; every price it saw is
    folded, served at the page printed, and at the end held to what the retailers really charged. Ctrl-C, or the
    end of --for, stops the scraper and prints the summary.
    """
    from splitcart_sandbox.demo import command  # noqa: PLC0415 - as in `up`

    with _explained(as_json):
        command.run(
            home=home,
            seconds=seconds,
            speed=speed,
            companies=companies,
            stores=stores,
            listings=listings,
            seed=seed,
            faults=faults,
            products=products,
            port=port,
            as_json=as_json,
        )


@app.command()
def down(*, home: Home = None, as_json: AsJson = False) -> None:
    """Stop the sandbox of the data folder, and whatever a crash of one left running. Data stays."""
    path = home_path(home)
    with _explained(as_json):
        folder = Folder.existing(path)
        stopped = background.stop(folder) if folder else []
        words = f"stopped {', '.join(stopped)}" if stopped else f"nothing runs on {path}"
        _say({"home": str(path), "stopped": stopped}, words, as_json=as_json)


@app.command()
def status(*, home: Home = None, as_json: AsJson = False) -> None:
    """Show what runs, where, and on which virtual time. Exit code 0: all of it runs; 1: not all; 3: nothing."""
    path = home_path(home)
    with _explained(as_json):
        folder = Folder.existing(path)
        state = folder.load() if folder else State()
        holder = folder.holder() if folder else None
        if holder is not None and state.pid != holder.pid:
            state = State(phase="starting")
        left = folder.orphans() if folder and holder is None else []
        shown: dict[str, Any] = (
            show.content(state, path) if holder else {"home": str(path), "phase": "stopped", "processes": []}
        )
        shown["orphans"] = [process.pid for process in left]
        if as_json:
            typer.echo(json.dumps(shown))
        elif holder is None:
            typer.echo(f"no sandbox runs on {path}; start one with splitcart up")
            if left:
                typer.echo(f"but a crash left {len(left)} of its processes running: splitcart down stops them")
        else:
            show.print_up(state, path)
    if holder is None:
        raise typer.Exit(NOT_RUNNING)
    if state.phase != "up" or any(process["state"] != ProcessState.RUNNING for process in state.statuses):
        raise typer.Exit(1)


@app.command()
def logs(
    service: Annotated[str | None, typer.Argument(help="Whose log; all of them if it is left out.")] = None,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on as more is written, until Ctrl-C.")
    ] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")] = 50,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Print the end of the logs, each line with its process's name."""
    path = home_path(home)
    with _explained(as_json):
        folder = Folder.existing(path)
        if folder is None:
            raise SandboxError(f"there is no data folder at {path}: start a sandbox with splitcart up")
        for name, line in tail.read(folder, service, lines=lines, follow=follow):
            if as_json:
                typer.echo(json.dumps({"process": name, "line": line}))
            else:
                typer.echo(line if service else f"{name:<10} | {line}")


@app.command()
def reset(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Delete the data folder: every event, price, setting and log in it. There is no way back."""
    path = home_path(home)
    with _explained(as_json):
        folder = Folder.existing(path)
        if folder is None:
            _say({"home": str(path), "deleted": False}, f"there is no data folder at {path}", as_json=as_json)
            return
        if not yes:
            if as_json or not sys.stdin.isatty():
                raise SandboxError(f"say --yes to delete {path} and everything in it")
            typer.confirm(f"Delete {path} and everything in it?", abort=True)
        with folder.held():
            folder.sweep()
            folder.delete()
        _say({"home": str(path), "deleted": True}, f"deleted {path}", as_json=as_json)


def _options(**options: str | float | datetime | Path | None) -> list[str]:
    words = []
    for name, value in options.items():
        if value:
            text = value.strftime("%Y-%m-%dT%H:%M:%S%z") if isinstance(value, datetime) else str(value)
            words += [f"--{name.replace('_', '-')}", text]
    return words


@contextlib.contextmanager
def _explained(as_json: bool) -> Iterator[None]:
    try:
        yield
    except SandboxError as error:
        if as_json:
            typer.echo(json.dumps({"error": str(error)}))
        else:
            typer.secho(f"splitcart: {error}", err=True, fg=typer.colors.RED if sys.stderr.isatty() else None)
        raise typer.Exit(1) from error


def _show_up(state: State, path: Path, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(show.content(state, path)))
    else:
        show.print_up(state, path)


def _say(content: dict[str, Any], words: str, *, as_json: bool) -> None:
    typer.echo(json.dumps(content) if as_json else words)
