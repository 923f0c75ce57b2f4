"""The verbs `dlq list|show|diff|redrive`: what they are asked with. What they do is in `letters`."""

from datetime import datetime
from typing import Annotated

import typer

from splitcart_common.outcomes import Reason
from splitcart_scraper.commands.options import AsJson, Dev

dlq = typer.Typer(no_args_is_help=True, help="Dead letters: messages that a service could not fold.")

Letter = Annotated[
    str, typer.Argument(metavar="LETTER", help="As `dlq list` names it: product-observed.ingest.dlq/0/17.")
]
TopicName = Annotated[str | None, typer.Option("--topic", help="Only those of this topic, like product-observed.")]
Service = Annotated[str | None, typer.Option(help="Only those of this service, like ingest.")]
Why = Annotated[Reason | None, typer.Option("--reason", help="Only those with this reason.")]
Store = Annotated[str | None, typer.Option(help="Only those whose key is this store, like aldi:G452.")]
Since = Annotated[
    datetime | None, typer.Option(help="Only those that were given up since (UTC, the broker's time).")
]


@dlq.command("list")
def list_letters(
    *,
    topic: TopicName = None,
    service: Service = None,
    reason: Why = None,
    store: Store = None,
    since: Since = None,
    each: Annotated[bool, typer.Option("--each", help="A line a letter, not a line a topic and reason.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="With --each: how many, the newest.")] = 50,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Count dead letters by topic, service and reason, with the first and the last time; or list each.

    A dead letter is a recorded decision: a replay skips exactly these offsets. The reasons are explained in
    docs/events.md. "redriven" counts those that were brought back since.

    Example: `splitcart dlq list --each --reason invalid`.
    """
    from splitcart_scraper.commands import letters  # noqa: PLC0415 - clients are slow to import for --help

    wanted = letters.wanted(topic, service, reason, store, since)
    letters.list_all(wanted, limit if each else None, dev=dev, as_json=as_json)


@dlq.command("show")
def show(letter: Letter, *, dev: Dev = False, as_json: AsJson = False) -> None:
    """Show one letter: where it stood, why it is dead, its headers, its bytes, and what they say if they do.

    Example: `splitcart dlq show product-observed.ingest.dlq/0/17`.
    """
    from splitcart_scraper.commands import letters  # noqa: PLC0415 - clients are slow to import for --help

    letters.show(letter, dev=dev, as_json=as_json)


@dlq.command("diff")
def diff(
    *,
    topic: TopicName = None,
    service: Service = None,
    reason: Why = None,
    store: Store = None,
    since: Since = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, help="Examples of what would be otherwise now.")
    ] = 20,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Ask the code of today about each letter: still dead, dead for another reason, or accepted.

    What would be accepted now can be redriven (`dlq redrive`). It is asked what every service asks: bytes,
    headers, version, key and times.

    Example: after a new release, `splitcart dlq diff --topic product-observed`.
    """
    from splitcart_scraper.commands import letters  # noqa: PLC0415 - clients are slow to import for --help

    letters.diff(letters.wanted(topic, service, reason, store, since), limit, dev=dev, as_json=as_json)


@dlq.command("redrive")
def redrive(
    which: Annotated[
        list[str] | None,
        typer.Argument(metavar="[LETTER]...", help="These letters; without any, all that the options leave in."),
    ] = None,
    *,
    topic: TopicName = None,
    service: Service = None,
    reason: Why = None,
    store: Store = None,
    since: Since = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done: so it is without --yes.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it.")] = False,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Bring letters back that the code of today accepts. Without --yes it says what it would do, and does nothing.

    Listings of product-observed come back as a scrape of their own: reason redrive, of a part of the store
    (nothing is withdrawn because of it), with the times they were observed at. It is refused where the store has
    been scraped since: older prices must not come after newer ones. Barcodes, and the state of a store, are said
    again. Other letters are refused, with what to do instead. Each letter is brought back once.

    Exit code 1 where one of the letters that were named is refused.

    Examples: `splitcart dlq redrive`, then `splitcart dlq redrive --yes`.
    """
    from splitcart_scraper.commands import letters  # noqa: PLC0415 - clients are slow to import for --help

    wanted = letters.wanted(topic, service, reason, store, since, which or ())
    letters.redrive(wanted, dry_run=dry_run, yes=yes, dev=dev, as_json=as_json)
