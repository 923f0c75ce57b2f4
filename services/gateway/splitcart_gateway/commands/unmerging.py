"""`splitcart unmerge`: an operator's word that a listing is not the product it was linked to."""

import asyncio
import getpass
import json
import logging
import sys
from typing import TYPE_CHECKING, Annotated, NoReturn
from uuid import UUID

import typer
from pydantic import ValidationError

from splitcart_common.dev import NoStackError, local_stack

if TYPE_CHECKING:
    from splitcart_gateway.settings import GatewaySettings


def unmerge(
    company: Annotated[str, typer.Argument(help="aldi, coles, woolworths or iga.")],
    sku: Annotated[str, typer.Argument(help="The listing's SKU.")],
    *,
    reason: Annotated[str, typer.Option(help="Why it is another thing: it stays on record.")],
    product: Annotated[
        UUID | None, typer.Option(help="The product it is thought to be; refused where it is another by now.")
    ] = None,
    by: Annotated[str | None, typer.Option(help="Who says so.", show_default="the user of this shell")] = None,
    wait: Annotated[float, typer.Option(min=0, max=600, help="Seconds to wait for what comes of it.")] = 15.0,
    dev: Annotated[bool, typer.Option("--dev", help="On the stack that `splitcart up` runs here.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")] = False,
) -> None:
    """Say that a listing is not the product it was linked to: it is parted from it for good.

    The request goes on record (topic `requests`). Identity hears it, parts the listing onto a product of its own,
    and says so (topic `catalogue`): no rule ever links it there again, and a replay repeats it. What else is that
    product stays together. `splitcart products show COMPANY SKU` says why a listing is what it is.

    Exit codes: 0 it is parted; 1 it is asked, but nobody has decided within the time to wait, or broker or server
    failed; 2 it makes no sense as things stand, and nothing was asked.

    Example: `splitcart unmerge coles 8150288 --reason "the 2 l bottle, not the 1 l" --json`.
    """
    # Clients are slow to import for --help.
    from splitcart_gateway.requests import RefusedError, UnheardError  # noqa: PLC0415
    from splitcart_gateway.store import UNAVAILABLE  # noqa: PLC0415

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it cannot do is said by us
    try:
        answer = asyncio.run(_asked((company.lower(), sku), product, by or _user(), reason, wait, dev=dev))
    except RefusedError as error:
        _fail(str(error), 2, as_json=as_json)
    except UnheardError as error:
        _fail(
            f"{error}: SPLITCART_KAFKA_BOOTSTRAP says where it is, and it may be asked again", 1, as_json=as_json
        )
    except UNAVAILABLE as error:
        _fail(
            f"the database cannot be read ({type(error).__name__}: {error}), and nothing was asked: "
            "SPLITCART_POSTGRES_DSN says where it is",
            1,
            as_json=as_json,
        )
    if as_json:
        typer.echo(json.dumps(answer))
    elif answer["parted"]:
        typer.echo(f"{company} {sku} is not {answer['product_id']} any more: it is {answer['now_product_id']}.")
    else:
        typer.echo(
            f"It is asked (request {answer['request_id']}), but not decided within {wait:g} s. It will be, as "
            f"soon as identity runs: `splitcart products show {company} {sku}` tells."
        )
    raise typer.Exit(0 if answer["parted"] else 1)


async def _asked(
    listing: tuple[str, str], product: UUID | None, by: str, reason: str, wait: float, *, dev: bool
) -> dict[str, str | bool | None]:
    from splitcart_gateway import requests  # noqa: PLC0415
    from splitcart_gateway.store import connect  # noqa: PLC0415

    settings = _settings(dev=dev)
    pool = await connect(settings.postgres_dsn, connections=1, query_seconds=settings.gateway_query_seconds)
    try:
        found = await requests.unmerge(settings, pool, listing, product, by=by, reason=reason, wait_seconds=wait)
    finally:
        pool.terminate()
    return {
        "company": found.company,
        "sku": found.sku,
        "product_id": str(found.product),
        "request_id": str(found.request_id),
        "by": by,
        "parted": found.now is not None,
        "now_product_id": None if found.now is None else str(found.now),
    }


def _settings(*, dev: bool) -> "GatewaySettings":
    """The settings of the environment; with `dev`, those of the local stack. RefusedError where one is wrong."""
    from splitcart_gateway.requests import PRODUCER, RefusedError  # noqa: PLC0415
    from splitcart_gateway.settings import GatewaySettings  # noqa: PLC0415

    try:
        settings = GatewaySettings()
        if not dev:
            return settings
        stack = local_stack()
        there = {
            "kafka_bootstrap": stack.kafka,
            "postgres_dsn": stack.postgres_as(PRODUCER),
            "clock": stack.clock,
        }
        return GatewaySettings.model_validate({**settings.model_dump(), **there})
    except ValidationError as error:
        raise RefusedError(f"a setting is wrong: {error}") from None
    except NoStackError as error:
        raise RefusedError(str(error)) from None


def _user() -> str:
    """Who is at this shell; in a container the user may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"


def _fail(why: str, code: int, *, as_json: bool) -> NoReturn:
    if as_json:
        typer.echo(json.dumps({"error": why}))
    else:
        typer.secho(f"splitcart: {why}", err=True, fg=typer.colors.RED if sys.stderr.isatty() else None)
    raise typer.Exit(code)
