"""`splitcart products show|check` and `splitcart replay redecide`.

Exit codes: 0 shown (of `check`: equal); 1 something failed, or differs; 2 there is no such thing, or a setting is
wrong.
"""

from typing import Annotated

import typer

products = typer.Typer(
    no_args_is_help=True, help="Which listings are one product, and why: the catalogue and its log."
)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")]
Dev = Annotated[bool, typer.Option("--dev", help="On the stack that `splitcart up` runs here.")]


@products.command()
def show(
    what: Annotated[
        list[str], typer.Argument(metavar="COMPANY SKU | PRODUCT_ID", help="A listing, or a product's id.")
    ],
    *,
    history: Annotated[
        int,
        typer.Option(
            "--history", min=0, metavar="N", help="The last N decisions, from the log; 0: do not read it."
        ),
    ] = 20,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Show which product a listing is, what else is that product, and what each was recognised by.

    A listing is linked by one of these rules: `barcode` (another listing bears the same), `name-key` (the words of
    its name, brand and sizes are the same, and nothing forbids it), `variation` (a key that a barcode has taught),
    `own-link` (it is what it was, or founds a product), `operator`. The evidence says what exactly was the same.
    The id of a product that was merged into another shows that one. All decisions stand in the topic `catalogue`,
    and are made once: a replay repeats them.

    Examples: `splitcart products show coles 8150288`; `splitcart products show 5f0c… --json`.
    """
    from splitcart_ingest.commands import catalogue  # noqa: PLC0415 - clients are slow to import for --help

    catalogue.show(what, history, dev=dev, as_json=as_json)


@products.command()
def check(
    *,
    limit: Annotated[int, typer.Option(min=0, max=10_000, help="Differing rows shown.")] = 20,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Hold the catalogue's tables against the fold of their own log; exit code 1 where they differ.

    Both are read in full, at a moment when nothing is on its way between them; ingest may go on meanwhile.
    """
    from splitcart_ingest.commands import catalogue  # noqa: PLC0415

    catalogue.check(limit, dev=dev, as_json=as_json)


def redecide(
    *,
    limit: Annotated[int, typer.Option(min=0, max=100_000, help="Listings shown that would move.")] = 20,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Make all decisions about products anew, by the rules of this release, and show what would differ.

    A replay repeats decisions and makes none. This makes them again beside those on record, in memory, from the
    same descriptions and operators' words in the same order: it shows what a change of the rules would do. Nothing
    is changed: what was decided stands, until a new fact corrects it.

    Example: `splitcart replay redecide --limit 100 --json`.
    """
    from splitcart_ingest.commands import catalogue  # noqa: PLC0415

    catalogue.redecide(limit, dev=dev, as_json=as_json)
