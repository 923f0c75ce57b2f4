"""`splitcart replay plan|run|status|compare|swap|abandon`.

Exit codes: 0 done (of `compare`: equal); 1 something failed or differs, and what is done is kept; 2 refused, with
the reason, and nothing was changed. With ``--json`` standard output holds lines of JSON, the result last; what
people are told goes to standard error.
"""

from datetime import datetime
from typing import Annotated

import typer

replay = typer.Typer(
    no_args_is_help=True,
    help="Fold the log anew into a fresh generation beside the live one, compare the two, and swap.",
)

AsJson = Annotated[bool, typer.Option("--json", help="Lines of JSON, the result last.")]
Dev = Annotated[bool, typer.Option("--dev", help="On the stack that `splitcart up` runs here.")]
Workers = Annotated[
    int | None, typer.Option(min=1, max=64, help="Processes, each a partition at a time; as many as processors.")
]
Which = Annotated[
    int | None, typer.Option("--generation", min=1, help="Which one; not needed where only one is not live.")
]


@replay.command()
def plan(*, dev: Dev = False, as_json: AsJson = False) -> None:
    """Say what a replay would fold and skip, how long it would take and how much room; or why it cannot be.

    Looks only. A generation is the fold of the log from offset 0 to where the live one is: where a topic has lost
    its beginning or its end, what is left would be another state, and the replay is refused.
    """
    from splitcart_ingest.commands import replays  # noqa: PLC0415 - clients are slow to import for --help

    replays.plan(dev=dev, as_json=as_json)


@replay.command()
def run(
    *,
    company: Annotated[str | None, typer.Option(help="Only this company; can be compared, never swapped.")] = None,
    from_at: Annotated[
        datetime | None, typer.Option("--from", help="Only scrapes begun then or later (UTC).")
    ] = None,
    to_at: Annotated[datetime | None, typer.Option("--to", help="Only scrapes begun before (UTC).")] = None,
    workers: Workers = None,
    to_generation: Annotated[
        int | None, typer.Option("--to-generation", min=1, help="Go on with this one, or make it of this number.")
    ] = None,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Fold the log into a generation of its own, while the live one serves and goes on.

    By the code that folds it live, a partition at a time in each of some processes, up to where the live
    generation is. Nothing is published by it: what follows from the messages was said before. Skipped are exactly
    the messages that have a dead letter. It may be killed at any time: `--to-generation N` goes on where N is.

    Examples: `splitcart replay run`; `splitcart replay run --company aldi --to 2026-10-01`.
    """
    from splitcart_ingest.commands import replays  # noqa: PLC0415

    wish = replays.wish(to_generation, company, from_at, to_at, workers)
    replays.run(wish, dev=dev, as_json=as_json)


@replay.command()
def status(*, dev: Dev = False, as_json: AsJson = False) -> None:
    """Show the generations: which is live, how far each is, how fast, and how the last comparison came out."""
    from splitcart_ingest.commands import replays  # noqa: PLC0415

    replays.status(dev=dev, as_json=as_json)


@replay.command()
def compare(
    *,
    generation: Which = None,
    limit: Annotated[int, typer.Option(min=0, max=10_000, help="Rows shown of each part of a store.")] = 20,
    workers: Workers = None,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Hold a generation against the live one, at equal positions, while both go on; exit code 1 where they differ.

    It is brought to where the live one is at this moment. Then every store's rows are digested on both sides, by
    natural keys: scrapes, price history, group decisions, listings, barcodes, and the prices served at fixed
    moments. Where digests differ the rows are shown, each with the scrape it came by.
    """
    from splitcart_ingest.commands import replays  # noqa: PLC0415

    replays.compare(generation, limit, workers, dev=dev, as_json=as_json)


@replay.command()
def swap(
    *,
    generation: Which = None,
    accept_differences: Annotated[
        str | None,
        typer.Option(
            "--accept-differences", metavar="REASON", help="Swap though they differ; the reason is kept."
        ),
    ] = None,
    workers: Workers = None,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Let another generation be the one that is folded and served; the old one stays, until it is abandoned.

    It is compared first, while ingest goes on. Then ingest lets the old one go for a moment, what came meanwhile
    is folded and compared, and in one transaction the views that everybody reads show the new one. Readers wait
    for less than a second and see the one or the other; ingest goes on with the new one by itself. Whatever
    interrupts it, even kill -9, the old generation is live and whole, or the new one is.

    To go back: `splitcart replay swap --generation <the old one>`.
    """
    from splitcart_ingest.commands import replays  # noqa: PLC0415

    replays.swap(generation, accept_differences, workers, dev=dev, as_json=as_json)


@replay.command()
def abandon(
    generation: Annotated[int, typer.Argument(min=1, help="The number of a generation that is not live.")],
    *,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Drop a generation and all that is in it; refused for the one that is live. The log has it all."""
    from splitcart_ingest.commands import replays  # noqa: PLC0415

    replays.abandon(generation, dev=dev, as_json=as_json)
