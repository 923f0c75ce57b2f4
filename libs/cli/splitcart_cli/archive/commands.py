"""The verbs `splitcart archive create|restore`: what they are asked with.

Exit codes: 0 done; 1 it could not be done, and why is said; 2 a wrong option.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from splitcart_cli.log.options import Company, Dev, FromOffset, Partition, Since, Store, Types, Until

app = typer.Typer(no_args_is_help=True)
archive = typer.Typer(no_args_is_help=True, help="Write the log, or a part of it, to files, and read it back.")
app.add_typer(archive, name="archive")

Folder = Annotated[Path, typer.Argument(help="The folder of the archive.")]
AsJson = Annotated[bool, typer.Option("--json", help="One line of JSON instead of text.")]


class Format(StrEnum):
    """What an archive's files are."""

    JSONL = "jsonl"
    PARQUET = "parquet"


@archive.command("create")
def create(
    folder: Folder,
    *,
    topic: Annotated[
        list[str] | None,
        typer.Option(
            "--topic", help="Only this topic; may be given several times. Without it: all, dead letters too."
        ),
    ] = None,
    partition: Partition = None,
    from_offset: FromOffset = None,
    store: Store = None,
    company: Company = None,
    kind: Types = None,
    since: Since = None,
    until: Until = None,
    file_format: Annotated[
        Format, typer.Option("--format", help="jsonl: everything, can be restored. parquet: fields, for analysis.")
    ] = Format.JSONL,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Write what stands in the log now to files.

    jsonl: one line of JSON a message with key, value, all headers, time and offset, zstd; `zstd -dc … | jq .value`
    looks into it. A manifest names each file with its checksum. An archive that is interrupted goes on where it
    was when the same is asked again. parquet: a row a listing, or a message, a table an event, for DuckDB or
    pandas (`pip install splitcart-cli[parquet]`); what cannot be read is counted and left out, and it cannot be
    restored.

    Examples: `splitcart archive create /backup/log`; `splitcart archive create coles --topic product-observed
    --company coles --since 30d --format parquet`.
    """
    from splitcart_cli.archive import create as creating  # noqa: PLC0415 - clients are slow to import for --help
    from splitcart_cli.log import choosing  # noqa: PLC0415

    wish = choosing.Wish(
        topics=tuple(topic or ()), partition=partition, from_offset=from_offset, store=store, company=company,
        types=tuple(kind or ()), since=since, until=until,
    )  # fmt: skip
    creating.create(folder, wish, file_format.value, dev=dev, as_json=as_json)


@archive.command("restore")
def restore(
    folder: Folder,
    *,
    topic: Annotated[
        list[str] | None, typer.Option("--topic", help="Only this topic; may be given several times.")
    ] = None,
    prefix: Annotated[
        str | None,
        typer.Option(
            help="Restore under this prefix of topics instead of SPLITCART_TOPIC_PREFIX's.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with a restore that was interrupted: what stands there is compared."),
    ] = False,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Publish an archive again: the same messages in the same partitions, in the same order, with the same times.

    Every file is checked first; a damaged one, a topic that is not empty, or one with another number of partitions
    is refused, and nothing is written. Topics that are missing are made. Have no service running on the prefix:
    what it would publish meanwhile belongs after what is restored.

    Example: `splitcart archive restore /backup/log --prefix rebuilt`.
    """
    from splitcart_cli.archive import restore as restoring  # noqa: PLC0415 - clients are slow to import for --help

    restoring.restore(folder, topic or [], prefix, resume=resume, dev=dev, as_json=as_json)
