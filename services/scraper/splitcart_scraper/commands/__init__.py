"""The scraper's verbs: `scrape`, `canary`, `barcodes`, `stores discover`, `schedule …`, `scrapes …`, `dlq …`.

Exit codes: 0 done; 1 something could not be done, and the message says what; 2 a wrong option; 3 a worker stopped
because the retailer cannot be reached or does not want us. With ``--json`` one line of JSON is printed on standard
output; progress and logs go to standard error.
"""

from pathlib import Path
from typing import Annotated

import typer

from splitcart_scraper.commands.dlq import dlq
from splitcart_scraper.commands.options import AsJson, BaseUrl, Company, Dev, Store
from splitcart_scraper.commands.scrapes import scrapes

app = typer.Typer(no_args_is_help=True, help="Visit stores and publish what they charge.")
stores = typer.Typer(no_args_is_help=True, help="The stores of a company.")
schedule = typer.Typer(no_args_is_help=True, help="Which store is scraped next, and why.")
app.add_typer(stores, name="stores")
app.add_typer(schedule, name="schedule")
app.add_typer(scrapes, name="scrapes")
app.add_typer(dlq, name="dlq")


@app.command()
def scrape(
    company: Company,
    *,
    workers: Annotated[int, typer.Option(min=1, max=32, help="Stores in hand at the same time.")] = 2,
    store: Annotated[
        str | None, typer.Option(help="Only this store, like G452 or aldi:G452, whether or not it is due.")
    ] = None,
    base_url: BaseUrl = None,
    max_requests: Annotated[
        int | None,
        typer.Option(min=1, help="Stop after so many requests; what was read is published, nothing withdrawn."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read one store and say what would be published; keep nothing.")
    ] = False,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Scrape the stores of a company that are due, the next one first, until none is or Ctrl-C.

    Flagged stores come first, then those never scraped, then the one scraped longest ago. Left alone are stores
    handed out within the last 4 hours, scraped completely within the last 20 with no turn of prices since, and
    members of groups whose anchors' prices stand for theirs (`schedule show` has them). Requests go out one at a
    time, whatever the number of workers, and leave a gap. A store whose scrape was interrupted goes on where it
    stopped: Ctrl-C loses nothing. If the retailer cannot be reached three times in a row, or shows a bot wall, the
    command ends with exit code 3. Once the company's requests of the day are made (`schedule policy`), nothing new
    is begun, also not with --store.

    Examples: `splitcart scrape aldi --dev`; `splitcart scrape aldi --store G452 --max-requests 20 --dry-run`.
    """
    from splitcart_scraper.commands import scraping  # noqa: PLC0415 - clients are slow to import for --help

    wish = scraping.Wish(company, workers, store, max_requests)
    scraping.scrape(wish, base_url, dry_run=dry_run, dev=dev, as_json=as_json)


@app.command("barcodes")
def find_barcodes(
    company: Company,
    *,
    limit: Annotated[int | None, typer.Option(min=1, help="Read at most so many product pages now.")] = None,
    prefill_from: Annotated[
        str | None,
        typer.Option(
            help="Another SplitCart gateway to take barcodes from first, like https://splitcart.example."
        ),
    ] = None,
    base_url: BaseUrl = None,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Find the barcodes that a company's listings lack: those of Coles are on its product pages only.

    First come those known already, from earlier passes and, with --prefill-from, from another gateway's export of
    listings; then product pages, one request at a time with a gap, so a first pass over Coles takes many hours.
    Only what has the right check digit is published. Progress is kept for each product: Ctrl-C, a kill or a limit
    loses nothing, and the same command goes on with the next one. Products whose page has no barcode are left
    alone for 90 days. Three products in a row that cannot be read, a throttle or a bot wall end the command with
    exit code 3 and the reason. Once the company's requests of the day are made it ends as after a limit, with 0,
    and says when it can go on.

    Examples: `splitcart barcodes coles --dev`; `splitcart barcodes coles --limit 500`.
    """
    from splitcart_scraper.commands import barcodes  # noqa: PLC0415 - clients are slow to import for --help

    barcodes.barcodes(company, base_url, limit, prefill_from, dev=dev, as_json=as_json)


@app.command("canary")
def look(
    company: Company,
    *,
    store: Annotated[
        str | None, typer.Option(help="Look at this store, like G452; else one that is known.")
    ] = None,
    expect: Annotated[
        Path | None, typer.Option(help="Expectations to use instead of those that come along.")
    ] = None,
    learn: Annotated[
        Path | None,
        typer.Option(help="Write the expectations to this file, widened by what was seen, for --expect."),
    ] = None,
    base_url: BaseUrl = None,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Make a few requests and say whether the retailer still answers in the shapes the parsers know.

    The store finder, the front page, the category tree and one page each of three categories are read, at the pace
    of all other requests. Every field that has gone, is new, or is of another kind is listed with its path, what
    was expected and seen, the share of objects and examples.

    Exit codes: 0 all as expected; 1 drift, and the parsers still read it; 2 drift that they cannot read, or a
    wrong option; 3 the retailer could not be looked at, or not today any more (`schedule policy`). Run it once a
    day, and before a scrape after a long rest.
    """
    from splitcart_scraper.commands import canary  # noqa: PLC0415 - clients are slow to import for --help

    canary.canary(company, store, base_url, expect, learn, dev=dev, as_json=as_json)


@stores.command("discover")
def discover(company: Company, *, base_url: BaseUrl = None, dev: Dev = False, as_json: AsJson = False) -> None:
    """Find every store of a company and publish those that are new or changed.

    Stores that two complete discoveries in a row do not list are published as closed. The service does the same
    once a week by itself. Refused, with exit code 1, once the company's requests of the day are made.
    """
    from splitcart_scraper.commands import scraping  # noqa: PLC0415 - clients are slow to import for --help

    scraping.discover(company, base_url, dev=dev, as_json=as_json)


@schedule.command("show")
def show(
    company: Company,
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many of the next stores.")] = 10,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Show the next stores with the reason for each, or why none is due and when the next one will be.

    Behind them come those that are left alone, the one that is due first at the head: handed out a short time ago,
    fresh (scraped, and prices have not turned since), or released (under which anchor, and since when).
    """
    from splitcart_scraper.commands import scheduling  # noqa: PLC0415 - clients are slow to import for --help

    scheduling.show(company, limit, dev=dev, as_json=as_json)


@schedule.command("explain")
def explain(store: Store, *, dev: Dev = False, as_json: AsJson = False) -> None:
    """Say where one store stands: its place in line, until when it rests, is released or leased, or closed."""
    from splitcart_scraper.commands import scheduling  # noqa: PLC0415 - clients are slow to import for --help

    scheduling.explain(store, dev=dev, as_json=as_json)


@schedule.command("policy")
def policy(*, dev: Dev = False, as_json: AsJson = False) -> None:
    """Show by which rules stores are handed out: the policy in force, the rests, and each company's day budget.

    SPLITCART_SCRAPER_POLICY chooses the policy: the order in which stores that are due come. What keeps a store
    from being due is the same under each: the rests, its lease, and the company's budget of requests a day
    (SPLITCART_SCRAPER_BUDGET_PER_DAY, as in `20000,iga=5000`; days are virtual and UTC; 0: none). Every request
    counts, whatever it is for. Over budget nothing new begins until the next day: no scrape, no discovery, no
    canary, no further product page; a scrape that has begun is read to its end. Companies do not compete: each has
    workers, a host and a budget of its own, so none waits for another.
    """
    from splitcart_scraper.commands import scheduling  # noqa: PLC0415 - clients are slow to import for --help

    scheduling.policy(dev=dev, as_json=as_json)


@schedule.command("flag")
def flag(
    store: Store,
    *,
    why: Annotated[str, typer.Option(help="Why; it is shown wherever the store is.")] = "asked for by an operator",
    remove: Annotated[bool, typer.Option("--remove", help="Take the flag away instead.")] = False,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Have a store scraped before the others, released or not; its rest of 4 hours is kept all the same."""
    from splitcart_scraper.commands import scheduling  # noqa: PLC0415 - clients are slow to import for --help

    scheduling.flag(store, why, remove=remove, dev=dev, as_json=as_json)


@schedule.command("release")
def release(
    company: Company,
    *,
    store: Annotated[str | None, typer.Option(help="Only this store, like G452 or aldi:G452.")] = None,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Take stores from workers that are known to be dead, without waiting for their leases to end.

    Their scrapes go on from the last page that was staged. A worker that was alive after all notices, and stops.
    """
    from splitcart_scraper.commands import scheduling  # noqa: PLC0415 - clients are slow to import for --help

    scheduling.release(company, store, dev=dev, as_json=as_json)
