"""`splitcart find`: what a product costs near a postcode, asked over HTTP."""

import sys
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Annotated, Any, NoReturn
from urllib.parse import urlencode, urlsplit

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from splitcart_gateway.domain.wording import SPECIALS, age, company_name, distance

TIMEOUT_SECONDS = 10


def find(
    product: Annotated[str, typer.Argument(help="Words of its name, a barcode or a SKU.")],
    near: Annotated[str, typer.Option(help="The postcode to look around.")],
    radius_km: Annotated[float, typer.Option(help="How far a store may be.")] = 10.0,
    url: Annotated[
        str, typer.Option(envvar="SPLITCART_GATEWAY_URL", help="Where the gateway is.")
    ] = "http://127.0.0.1:8080",
    as_json: Annotated[bool, typer.Option("--json", help="Print what the API answers.")] = False,
) -> None:
    """Show what the product that matches best costs at the stores near a postcode, cheapest first."""
    found = _ask(url, "/api/v1/products", {"q": product, "limit": "1"})
    if not found["items"]:
        meant = ", ".join(repr(other["name"]) for other in found["did_you_mean"])
        _fail(f"Nothing found for {product!r}." + (f" Did you mean {meant}?" if meant else ""))
    product_id = found["items"][0]["product_id"]
    prices = _ask(
        url, "/api/v1/prices", {"product": product_id, "near": near, "radius_km": str(radius_km), "limit": "200"}
    )
    if as_json:
        sys.stdout.write(orjson.dumps(prices).decode() + "\n")
    else:
        Console().print(_table(prices["items"][0], near, radius_km))


def _ask(url: str, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
    """One GET; ends the command with the problem's own words where there is one."""
    where = urlsplit(url)
    if where.scheme not in {"http", "https"} or not where.hostname:
        _fail(f"{url!r} is not the address of a gateway: expected http://host:port")
    kind = HTTPSConnection if where.scheme == "https" else HTTPConnection
    connection = kind(where.hostname or "", where.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", f"{where.path.rstrip('/')}{path}?{urlencode(parameters)}")
        response: HTTPResponse = connection.getresponse()
        answer: dict[str, Any] = orjson.loads(response.read())
    except (OSError, HTTPException, orjson.JSONDecodeError) as error:
        _fail(f"No gateway answers at {url} ({error}). Is it running? Name another with --url.")
    finally:
        connection.close()
    if response.status != 200:
        _fail(answer.get("detail", f"{url} answered {response.status}"))
    return answer


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)


def _table(product: Mapping[str, Any], near: str, radius_km: float) -> Table:
    about = " ".join(str(product[part]) for part in ("brand", "name", "size") if product[part])
    without, unknown = len(product["not_sold_at"]), len(product["unknown"])
    table = Table(
        title=f"{escape(about)} within {radius_km:g} km of {near}",
        caption=f"not sold at {without} stores near, {unknown} not looked at yet",
        title_justify="left",
        caption_justify="left",
    )
    for heading in ("Price", "Store", "Away", "Seen", "Special"):
        table.add_column(heading, justify="right" if heading in {"Price", "Away"} else "left")
    for price in product["prices"]:
        special = SPECIALS.get(price["special"] or "", "")
        was = f", was {price['was_price']}" if price["was_price"] else ""
        table.add_row(
            price["price"],
            escape(f"{company_name(price['company'])} {price['name'] or price['store']}"),
            distance(price["distance_km"]),
            age(price["age_seconds"]),
            escape(f"{special}{was}".removeprefix(", ")),
        )
    return table
