"""The gateway's verbs of the `splitcart` command: `find` asks for prices, `unmerge` corrects."""

import typer

from splitcart_gateway.commands.finding import find
from splitcart_gateway.commands.unmerging import unmerge

app = typer.Typer(no_args_is_help=True)
app.command()(find)
app.command()(unmerge)
