"""What several verbs are asked with: arguments and options, worded once."""

from typing import Annotated

import typer

Company = Annotated[str, typer.Argument(help="Company key, like aldi.")]
Store = Annotated[str, typer.Argument(help="Store key, like aldi:G452.")]
BaseUrl = Annotated[str | None, typer.Option(help="Where the retailer's requests go instead of the live address.")]
Dev = Annotated[
    bool, typer.Option("--dev", help="Use the stack and the simulated retailers that `splitcart up` runs here.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One line of JSON on standard output instead of text.")]
