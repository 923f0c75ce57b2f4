"""The verbs of ingest: `count`, `evaluate`, `explain`, `history`, `ingest`, `price`, `products`, `replay`."""

import typer

from splitcart_ingest.commands.evaluating import evaluate
from splitcart_ingest.commands.prices import explain, history, price
from splitcart_ingest.commands.products import products, redecide
from splitcart_ingest.commands.replaying import replay
from splitcart_ingest.commands.stored import count, ingest

app = typer.Typer(no_args_is_help=True)
app.add_typer(count, name="count")
app.add_typer(evaluate, name="evaluate")
app.add_typer(explain, name="explain")
app.add_typer(ingest, name="ingest")
app.add_typer(products, name="products")
app.add_typer(replay, name="replay")
app.command()(price)
app.command()(history)
replay.command()(redecide)
