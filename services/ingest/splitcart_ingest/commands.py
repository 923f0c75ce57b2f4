"""The verbs of ingest."""

import typer

app = typer.Typer(no_args_is_help=True)
