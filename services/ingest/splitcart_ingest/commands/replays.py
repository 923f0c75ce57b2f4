"""The verbs of replay: ask, do, show."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from splitcart_common.ids import COMPANIES
from splitcart_ingest.commands.shell import Watching, execute, settings_for
from splitcart_ingest.replay import abandon as abandoning
from splitcart_ingest.replay import compare as comparing
from splitcart_ingest.replay import plan as planning
from splitcart_ingest.replay import run as running
from splitcart_ingest.replay import status as standing
from splitcart_ingest.replay import swap as swapping
from splitcart_ingest.replay.errors import RefusedError
from splitcart_ingest.replay.registry import connected, generation
from splitcart_ingest.replay.selection import Selection
from splitcart_ingest.replay.workers import usual_number


def wish(
    to_generation: int | None,
    company: str | None,
    from_at: datetime | None,
    to_at: datetime | None,
    workers: int | None,
) -> running.Wish:
    """What `run` is asked for; times are UTC."""
    begin, end = (None if at is None else at.replace(tzinfo=UTC) for at in (from_at, to_at))
    if begin is not None and end is not None and begin >= end:
        raise typer.BadParameter(f"--from {begin:%Y-%m-%d %H:%M} is not before --to {end:%Y-%m-%d %H:%M}")
    if company is not None and company not in COMPANIES:
        raise typer.BadParameter(f"there is no company {company}: {', '.join(COMPANIES)}")
    return running.Wish(to_generation, Selection(company, begin, end), workers or usual_number())


def plan(*, dev: bool, as_json: bool) -> None:
    """The verb `plan`."""

    async def main() -> bool:
        found = await planning.plan(settings_for(dev=dev))
        if as_json:
            typer.echo(json.dumps(found.as_json()))
        else:
            _show_plan(found)
        return not found.problems

    execute(main(), as_json=as_json)


def _show_plan(found: planning.Plan) -> None:
    console = Console()
    table = Table("topic", "partitions", "messages", "behind the head", "dead letters, skipped")
    for name in dict.fromkeys(part.topic.name for part in found.parts):
        parts = [part for part in found.parts if part.topic.name == name]
        messages, behind = sum(part.until for part in parts), sum(part.end - part.until for part in parts)
        table.add_row(name, str(len(parts)), f"{messages:,}", f"{behind:,}", f"{found.dead_letters[name]:,}")
    console.print(table)
    measured = "as the last run" if found.measured else "as measured on two cores"
    console.print(
        f"{found.messages:,} messages up to where generation {found.live} is, about {_duration(found.seconds)} at "
        f"{found.rate:,.0f} a second ({measured}); about {_size(found.bytes)} on disk, as much as the live one.",
        highlight=False,
    )
    for number in found.unfinished:
        console.print(
            f"Generation {number} is not finished: `splitcart replay run --to-generation {number}` goes on."
        )
    for problem in found.problems:
        console.print(f"[red]It cannot be: {escape(problem)}[/red]")


def run(wanted: running.Wish, *, dev: bool, as_json: bool) -> None:
    """The verb `run`."""

    async def main() -> bool:
        with Watching(as_json=as_json) as watching:
            done = await running.run(settings_for(dev=dev), wanted, watching.folded)
        rate = done.messages / done.seconds
        if as_json:
            content = {
                "generation": done.generation.number,
                "state": done.generation.state,
                "messages": done.messages,
                "seconds": round(done.seconds, 3),
                "rate": round(rate, 1),
                "skipped": done.skipped,
                "refused_now": list(done.refused_now),
            }
            typer.echo(json.dumps(content))
            return True
        number = done.generation.number
        typer.echo(
            f"generation {number}: {done.messages:,} messages in {_duration(done.seconds)} "
            f"({rate:,.0f} a second), {done.skipped:,} dead letters skipped"
        )
        _show_refused(done.refused_now)
        typer.echo(f"`splitcart replay compare --generation {number}` holds it against the live one")
        return True

    execute(main(), as_json=as_json)


def _show_refused(refused: Sequence[str]) -> None:
    for words in refused:
        typer.secho(f"fails now, and did not when it came: {words}", fg=typer.colors.RED)


def status(*, dev: bool, as_json: bool) -> None:
    """The verb `status`."""

    async def main() -> bool:
        found = await standing.status(settings_for(dev=dev))
        if as_json:
            for one in found:
                typer.echo(json.dumps(one.as_json()))
        else:
            _show_status(found)
        return True

    execute(main(), as_json=as_json)


def _show_status(found: Sequence[standing.Status]) -> None:
    table = Table("generation", "state", "holds", "messages", "behind", "rate", "left", "disk", "compared")
    for one in found:
        compared = "" if one.compared_at is None else f"{one.compared_at:%Y-%m-%d %H:%M} "
        if one.equal is not None:
            compared += "equal" if one.equal else f"[red]{one.differing} differ[/red]"
        table.add_row(
            f"{one.generation.number}",
            one.generation.state + (", running" if one.running else ""),
            str(one.generation.selection),
            f"{one.messages:,}",
            f"{one.behind:,}",
            "" if one.rate is None else f"{one.rate:,.0f}/s",
            "" if one.seconds_left is None else _duration(one.seconds_left),
            _size(one.bytes),
            compared + (f", accepted: {escape(one.accepted)}" if one.accepted else ""),
        )
    Console().print(table)


def compare(number: int | None, limit: int, workers: int | None, *, dev: bool, as_json: bool) -> None:
    """The verb `compare`."""

    async def main() -> bool:
        settings = settings_for(dev=dev)
        async with connected(settings) as connection:
            made = await generation(connection, number)
        with Watching(as_json=as_json) as watching:
            async with running.working_on(settings, made) as bench:
                ask = comparing.Ask(rows=limit)
                found = await comparing.compare(bench, workers or usual_number(), watching.folded, ask)
        _show_comparison(found, as_json=as_json)
        return found.equal

    execute(main(), as_json=as_json)


def _show_comparison(found: comparing.Comparison, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found.as_json()))
        return
    console = Console()
    table = Table("company", "live", f"generation {found.generation}", "")
    for company in sorted(found.live.keys() | found.made.keys()):
        live, made = found.live.get(company, ""), found.made.get(company, "")
        table.add_row(company, live, made, "equal" if live == made else "[red]differs[/red]")
    console.print(table)
    for place, rows in found.differing:
        count = "not looked into" if rows is None else f"{rows:,} {'row' if rows == 1 else 'rows'}"
        console.print(f"[red]{place.part} of {place.store or place.company}: {count}[/red]", highlight=False)
    for row in found.rows:
        console.print(escape(str(row)), highlight=False, soft_wrap=True)
    _show_refused(found.refused_now)
    for name in found.left_out:
        console.print(f"{name} was not compared: ingest went on deciding about it all the while")
    if found.ahead:
        console.print(f"{found.ahead:,} listings are described by messages that neither has folded yet")
    word = "equal" if found.equal else "not equal"
    typer.echo(
        f"{word}: {found.digests:,} digests at {sum(found.positions.values()):,} messages, "
        f"{found.skipped:,} dead letters skipped"
    )


def swap(number: int | None, accept: str | None, workers: int | None, *, dev: bool, as_json: bool) -> None:
    """The verb `swap`."""

    async def main() -> bool:
        if accept is not None and not accept.strip():
            raise RefusedError("a reason is needed to accept differences: it is kept with the generation")
        with Watching(as_json=as_json) as watching:
            how = swapping.How(accept, workers or usual_number())
            done = await swapping.swap(settings_for(dev=dev), number, how, watching.folded, watching.say)
        if as_json:
            content = {
                "before": done.before,
                "now": done.now,
                "equal": done.comparison.equal,
                "accepted": accept,
                "unsent": done.unsent,
                "stopped_seconds": round(done.stopped_seconds, 3),
            }
            typer.echo(json.dumps(content))
        else:
            typer.echo(
                f"generation {done.now} is live; ingest stood still for {done.stopped_seconds:.1f} s. Generation "
                f"{done.before} is kept: `splitcart replay swap --generation {done.before}` goes back to it, "
                f"`splitcart replay abandon {done.before}` drops it"
            )
        return True

    execute(main(), as_json=as_json)


def abandon(number: int, *, dev: bool, as_json: bool) -> None:
    """The verb `abandon`."""

    async def main() -> bool:
        size = await abandoning.abandon(settings_for(dev=dev), number)
        if as_json:
            typer.echo(json.dumps({"abandoned": number, "bytes": size}))
        else:
            typer.echo(f"generation {number} is gone, and {_size(size)} are free")
        return True

    execute(main(), as_json=as_json)


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
