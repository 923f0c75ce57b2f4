"""The verbs `splitcart events tail|read|search|show|stats`: what they are asked with.

Exit codes: 0 done; 1 it could not be done (no broker, no such message), and why is said; 2 a wrong option.
"""

from typing import Annotated

import typer

from splitcart_cli.log.options import (
    AsJson,
    Company,
    Dev,
    FromOffset,
    Limit,
    Partition,
    Scrape,
    Since,
    Sku,
    Store,
    Topics,
    Types,
    Until,
)

app = typer.Typer(no_args_is_help=True)
events = typer.Typer(
    no_args_is_help=True,
    help="Look into the log. Nothing here joins a consumer group, commits an offset or changes anything.",
)
app.add_typer(events, name="events")


@events.command("read")
def read(
    *,
    topic: Topics = None,
    partition: Partition = None,
    from_offset: FromOffset = None,
    store: Store = None,
    company: Company = None,
    sku: Sku = None,
    scrape: Scrape = None,
    kind: Types = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Print messages up to the present head, in the order the broker had them.

    A line shows when it occurred, its place (topic/partition/offset), the event, the key, and its fields in short;
    --json has all of it. A message that cannot be read is shown too, with why. --store and --company read only the
    partitions that can hold them, --since only what was published since.

    Examples: `splitcart events read --store aldi:G452 --since 1d`; `splitcart events read --topic store-groups
    --type member-ejected --json`.
    """
    from splitcart_cli.log import choosing, looking  # noqa: PLC0415 - clients are slow to import for --help

    wish = choosing.Wish(
        topics=tuple(topic or ()), partition=partition, from_offset=from_offset, store=store, company=company,
        sku=sku, scrape=scrape, types=tuple(kind or ()), since=since, until=until,
    )  # fmt: skip
    looking.read(wish, limit, dev=dev, as_json=as_json)


@events.command("search")
def search(
    text: Annotated[
        str, typer.Argument(help="What is looked for in keys, headers and values; case does not matter.")
    ],
    *,
    regex: Annotated[bool, typer.Option("--regex", help="It is a regular expression (Python's).")] = False,
    topic: Topics = None,
    partition: Partition = None,
    from_offset: FromOffset = None,
    store: Store = None,
    company: Company = None,
    sku: Sku = None,
    scrape: Scrape = None,
    kind: Types = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Print the messages that contain a text. Everything that the options leave in is read: give some.

    Example: `splitcart events search "oat milk" --topic listing-described --company coles`.
    """
    from splitcart_cli.log import choosing, looking  # noqa: PLC0415 - clients are slow to import for --help

    wish = choosing.Wish(
        topics=tuple(topic or ()), partition=partition, from_offset=from_offset, store=store, company=company,
        sku=sku, scrape=scrape, types=tuple(kind or ()), since=since, until=until,
    )  # fmt: skip
    looking.search(text, wish, limit, regex=regex, dev=dev, as_json=as_json)


@events.command("tail")
def tail(
    *,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, help="Begin so many before each partition's head.")
    ] = 0,
    topic: Topics = None,
    partition: Partition = None,
    store: Store = None,
    company: Company = None,
    sku: Sku = None,
    scrape: Scrape = None,
    kind: Types = None,
    limit: Limit = None,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Print messages as they come, until Ctrl-C.

    Example: `splitcart events tail --dev --topic price-changed --company coles`.
    """
    from splitcart_cli.log import choosing, looking  # noqa: PLC0415 - clients are slow to import for --help

    wish = choosing.Wish(
        topics=tuple(topic or ()), partition=partition, store=store, company=company, sku=sku, scrape=scrape,
        types=tuple(kind or ()),
    )  # fmt: skip
    looking.tail(wish, lines, limit, dev=dev, as_json=as_json)


@events.command("show")
def show(
    what: Annotated[
        str, typer.Argument(metavar="EVENT_ID|PLACE", help="An event's id, or a place like product-observed/3/41.")
    ],
    *,
    causes: Annotated[bool, typer.Option("--causes/--no-causes", help="Also what it follows from.")] = True,
    topic: Topics = None,
    store: Store = None,
    company: Company = None,
    since: Since = None,
    dev: Dev = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")] = False,
) -> None:
    """Show one message in full: its headers, its event, and the chain of causes back to the scrape it began with.

    An id is looked for in all topics of events; --topic, --store, --company and --since narrow that. A place
    (topic/partition/offset) is found at once.

    Example: `splitcart events show price-changed/7/120`.
    """
    from splitcart_cli.log import causes as chain  # noqa: PLC0415 - clients are slow to import for --help
    from splitcart_cli.log import choosing  # noqa: PLC0415

    wish = choosing.Wish(topics=tuple(topic or ()), store=store, company=company, since=since)
    chain.show(what, wish, causes=causes, dev=dev, as_json=as_json)


@events.command("stats")
def stats(
    *,
    topic: Topics = None,
    partition: Partition = None,
    from_offset: FromOffset = None,
    store: Store = None,
    company: Company = None,
    sku: Sku = None,
    scrape: Scrape = None,
    kind: Types = None,
    since: Since = None,
    until: Until = None,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Count messages by topic, event and company, with their rate, their size, and the first and last times.

    Sizes are of the values before compression. Times and rates are of when things occurred (virtual); --json also
    has when the broker had them.

    Example: `splitcart events stats --topic product-observed --since 7d`.
    """
    from splitcart_cli.log import choosing, counting  # noqa: PLC0415 - clients are slow to import for --help

    wish = choosing.Wish(
        topics=tuple(topic or ()), partition=partition, from_offset=from_offset, store=store, company=company,
        sku=sku, scrape=scrape, types=tuple(kind or ()), since=since, until=until,
    )  # fmt: skip
    counting.stats(wish, dev=dev, as_json=as_json)
