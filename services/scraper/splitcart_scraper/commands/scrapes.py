"""The verbs `scrapes list|show|accept|reject`: what they are asked with. What they do is in `judging`."""

from enum import StrEnum
from typing import Annotated

import typer

from splitcart_scraper.commands.options import AsJson, Dev

scrapes = typer.Typer(no_args_is_help=True, help="Scrapes on record, and those that wait for a decision.")

Scrape = Annotated[str, typer.Argument(help="Scrape id, as `splitcart scrapes list` shows it.")]


class State(StrEnum):
    """The states of a scrape (`store.runs.State`)."""

    OPEN = "open"
    QUARANTINED = "quarantined"
    REPLACED = "replaced"
    REJECTED = "rejected"
    COMPLETED = "completed"
    ABANDONED = "abandoned"


@scrapes.command("list")
def list_scrapes(
    company: Annotated[str | None, typer.Argument(help="Only this company's, like aldi.")] = None,
    *,
    state: Annotated[State | None, typer.Option(help="Only those in this state.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="How many.")] = 20,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """List scrapes, the newest first: id, store, when it began (virtual), state, counts, and why.

    open: begun and not judged yet. completed: published. abandoned: given up on the way; what was read is
    published. quarantined: it looks as no visit to that store should, nothing of it is published, and it waits for
    `splitcart scrapes accept` or `reject`. replaced: it was quarantined until a later scrape of the store was
    judged. rejected: an operator has given it up.

    Example: `splitcart scrapes list --state quarantined`.
    """
    from splitcart_scraper.commands import judging  # noqa: PLC0415 - clients are slow to import for --help

    judging.show_all(company, state, limit, dev=dev, as_json=as_json)


@scrapes.command("show")
def show(
    scrape: Scrape,
    *,
    samples: Annotated[int, typer.Option("--samples", "-n", min=0, max=1_000, help="Examples of each kind.")] = 10,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Show one scrape: its counts, why it is in its state, and what an operator decides by.

    While its pages are kept (open or quarantined) that is: tiles that were refused, by reason, with examples; and
    prices that are not what the store's last published scrape said, with the share that moved.
    """
    from splitcart_scraper.commands import judging  # noqa: PLC0415 - clients are slow to import for --help

    judging.show(scrape, samples, dev=dev, as_json=as_json)


@scrapes.command("accept")
def accept(scrape: Scrape, *, dev: Dev = False, as_json: AsJson = False) -> None:
    """Publish a quarantined scrape: it was right after all.

    It is published as it would have been, with the moments at which its pages were read. That cannot be undone,
    only corrected by the next scrape. Refused, with exit code 1, where a later scrape of the store has been judged
    meanwhile: old prices must not come after new ones.
    """
    from splitcart_scraper.commands import judging  # noqa: PLC0415 - clients are slow to import for --help

    judging.accept(scrape, dev=dev, as_json=as_json)


@scrapes.command("reject")
def reject(
    scrape: Scrape,
    *,
    why: Annotated[str, typer.Option(help="Why; it is published with the rejection.")] = "rejected by an operator",
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Give a quarantined scrape up: none of its prices are ever published, and its pages are deleted.

    The log is told that the visit was made and came to nothing (abandoned, quarantine-rejected). The store's
    prices stay as they are, and it is due again when its rest of 4 hours is over.
    """
    from splitcart_scraper.commands import judging  # noqa: PLC0415 - clients are slow to import for --help

    judging.reject(scrape, why, dev=dev, as_json=as_json)
