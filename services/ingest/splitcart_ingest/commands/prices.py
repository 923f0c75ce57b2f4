"""`splitcart price`, `splitcart history` and `splitcart explain price`: what is charged, what was, and why.

Exit codes: 0 answered, also where it is not sold; 1 the database could not be asked; 2 there is no such store or
listing, or an option or a setting is wrong. `explain` answers without a log too, and says that there is none.
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer

explain = typer.Typer(
    no_args_is_help=True, help="Why something is as it is: the chain from it back to what was seen."
)

Store = Annotated[str, typer.Option("--store", help="The store, like aldi:G452.")]
Sku = Annotated[str | None, typer.Option("--sku", help="The listing: the company's own number.")]
Product = Annotated[
    UUID | None, typer.Option("--product", help="Or the product: its listing at the store's company is meant.")
]
At = Annotated[datetime | None, typer.Option("--at", help="As of this moment, UTC; now by SPLITCART_CLOCK else.")]
Dev = Annotated[bool, typer.Option("--dev", help="On the stack that `splitcart up` runs here.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")]


def price(
    *,
    store: Store,
    sku: Sku = None,
    product: Product = None,
    at: At = None,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Say what a store charges, or charged at a moment, for one listing; in cents with --json.

    It is the price served to a shopper: the store's own, an exception of its group, or its anchor's. As of a
    moment of the past it is what was served then, by what had been seen by then. A price of null: it is not sold
    there, or nothing is known.

    Examples: `splitcart price --store aldi:G452 --sku 000000000000361041`; `splitcart price --store coles:0584
    --sku 8150288 --at 2026-09-01T12:00:00 --json`.
    """
    from splitcart_ingest.commands import asking  # noqa: PLC0415 - clients are slow to import for --help

    asking.price(asking.Question(store, sku, product, at), dev=dev, as_json=as_json)


def history(
    *,
    store: Store,
    sku: Sku = None,
    product: Product = None,
    since: Annotated[
        datetime | None, typer.Option("--from", help="The first moment, UTC; four weeks before the last else.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--to", help="The last moment, UTC; now by SPLITCART_CLOCK else.")
    ] = None,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Show what one listing cost at a store over time: changes only, each with when it was last seen.

    Three tables: what was served to a shopper (a member of a group has it from its anchor, so this goes through
    its group as it changed); who stood for the store, and since when; and what was seen at the store itself.

    Example: `splitcart history --store coles:0584 --sku 8150288 --from 2026-06-01 --json`.
    """
    from splitcart_ingest.commands import asking  # noqa: PLC0415

    asking.history(asking.Question(store, sku, product, until), since, dev=dev, as_json=as_json)


@explain.command("price")
def explain_price(
    *,
    store: Store,
    sku: Sku = None,
    product: Product = None,
    at: At = None,
    log: Annotated[bool, typer.Option("--log/--no-log", help="Look for the messages in the log too.")] = True,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Show why a price is what it is: from what is served back to the page it was read on.

    A tree: the branch of rule 8 that answers and why none before it did; the store's own row, its exception or
    its anchor's row, whichever it was; the scrapes that changed the price and that saw it last, each with the
    message of its page in the log (topic, partition, offset, event id); the group's decision with its version and
    evidence.
    Where the log cannot be reached, it says so and shows the rest.

    Example: `splitcart explain price --store coles:0584 --sku 8150288 --at 2026-09-01`.
    """
    from splitcart_ingest.commands import explaining  # noqa: PLC0415
    from splitcart_ingest.commands.asking import Question  # noqa: PLC0415

    explaining.price(Question(store, sku, product, at), log=log, dev=dev, as_json=as_json)
