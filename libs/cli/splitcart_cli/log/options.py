"""What the verbs over the log are asked with, worded once."""

from typing import Annotated

import typer

Topics = Annotated[
    list[str] | None,
    typer.Option(
        "--topic",
        help="Only this topic, like product-observed, or product-observed.ingest.dlq for dead letters; may be "
        "given several times. Without it: all topics of events.",
    ),
]
Partition = Annotated[int | None, typer.Option(min=0, help="Only this partition of the one --topic.")]
FromOffset = Annotated[
    int | None, typer.Option(min=0, help="Only from this offset on, in each partition of the one --topic.")
]
Company = Annotated[str | None, typer.Option(help="Only what is about this company, like aldi.")]
Store = Annotated[str | None, typer.Option(help="Only what is about this store, like aldi:G452.")]
Sku = Annotated[str | None, typer.Option(help="Only what speaks of this listing: the company's own number.")]
Scrape = Annotated[str | None, typer.Option(help="Only what belongs to, or names, the scrape of this id.")]
Types = Annotated[
    list[str] | None,
    typer.Option("--type", help="Only this event, like prices-changed; may be given several times."),
]
Since = Annotated[
    str | None,
    typer.Option(help="Only what occurred (virtual time) at or after: 2026-09-01, 2026-09-01T08:00, or 2h ago."),
]
Until = Annotated[str | None, typer.Option(help="Only what occurred before; written like --since.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Stop after so many messages.")]
Dev = Annotated[bool, typer.Option("--dev", help="Read the log of the stack that `splitcart up` runs here.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, one line a message, instead of text.")]
