"""The verbs of grouping: `splitcart groups show`.

Exit codes: 0 shown; 1 the database cannot be read; 2 there is no such store or company, or no group yet.
"""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)
groups = typer.Typer(no_args_is_help=True, help="Which stores share prices, and why.")
app.add_typer(groups, name="groups")


@groups.command("show")
def show(
    what: Annotated[
        str | None,
        typer.Argument(metavar="[COMPANY|STORE]", help="A company like aldi, or a store like aldi:G452."),
    ] = None,
    *,
    history: Annotated[
        int,
        typer.Option("--history", min=0, max=1000, metavar="N", help="Show the last N decisions, oldest first."),
    ] = 10,
    dsn: Annotated[
        str, typer.Option(envvar="SPLITCART_POSTGRES_DSN", help="The database; any role that may read read.*.")
    ] = "postgresql://127.0.0.1:5432/splitcart",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False,
) -> None:
    """Show the groups of all companies, of one, or the group of one store with the reason for it.

    Stores of a company whose prices are equal form a group; mostly its anchor is scraped, and every member is
    priced by its anchor but for its exceptions. A member was compared with its anchor at two scrapes: of the
    listings both sell ("shared"), so many bore the same price ("equal"), and 98 of 100 must. A confirmation counts
    for 7 days; after that a member is due for another look, and stays where it is.

    Examples: `splitcart groups show`, `splitcart groups show aldi`, `splitcart groups show aldi:G452 --json`.
    """
    from splitcart_grouping import showing  # noqa: PLC0415 - clients are slow to import for --help

    showing.show(dsn, what, history, as_json=as_json)
