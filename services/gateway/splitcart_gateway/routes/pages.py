"""The page at `/`: a form, the products that match, and what one of them costs at the stores near.

Rendered here and complete without JavaScript; everything on it comes from this process (see middleware.py for the
policy that browsers hold it to). What goes wrong is a page too, with its proper status.
"""

from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from splitcart_common.ids import COMPANIES
from splitcart_common.money import to_dollars
from splitcart_gateway import problems
from splitcart_gateway.context import Gateway, gateway_of
from splitcart_gateway.domain import wording
from splitcart_gateway.domain.places import Postcode
from splitcart_gateway.domain.prices import Priced, alike
from splitcart_gateway.domain.products import Product
from splitcart_gateway.domain.query import LONGEST_QUERY, is_printable
from splitcart_gateway.domain.stores import Nearby
from splitcart_gateway.lookup import find_product, find_products, offers
from splitcart_gateway.problems import Problem

router = APIRouter(include_in_schema=False)

RADII_KM: Final = (2, 5, 10, 25, 50)
DEFAULT_RADIUS_KM: Final = 10
PRODUCTS_SHOWN: Final = 12
PRODUCTS_PRICED: Final = 24
"""Matches whose prices are looked up: those sold near are shown first."""

STORES_SHOWN: Final = 60

_STATIC: Final = {"style.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"}
_CONTENT: Final = {name: files("splitcart_gateway").joinpath("static", name).read_bytes() for name in _STATIC}
_VERSION: Final = {name: sha256(content).hexdigest()[:12] for name, content in _CONTENT.items()}


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("splitcart_gateway"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "company": wording.company_name,
        "age": wording.age,
        "distance": wording.distance,
        "dollars": to_dollars,
    }
    environment.globals |= {
        "static": {name: f"/static/{version}/{name}" for name, version in _VERSION.items()},
        "radii": RADII_KM,
        "longest_query": LONGEST_QUERY,
        "specials": wording.SPECIALS,
        "saving": wording.saving,
    }
    return environment


_TEMPLATES: Final = _environment()


@dataclass(frozen=True, slots=True)
class Form:
    """What the visitor typed, as typed: it is put back into the form."""

    q: str = ""
    near: str = ""
    product: str = ""
    radius_km: int = DEFAULT_RADIUS_KM

    @classmethod
    def of(cls, request: Request) -> "Form":
        """The form of a request; whatever cannot be kept is left out, so that the page can always be shown."""
        asked = request.query_params
        radius = asked.get("radius_km", "")
        return cls(
            q=_kept(asked.get("q", "")),
            near=_kept(asked.get("near", "")),
            product=_kept(asked.get("product", "")),
            radius_km=int(radius) if radius in map(str, RADII_KM) else DEFAULT_RADIUS_KM,
        )


def _kept(text: str) -> str:
    return " ".join(text.split())[:LONGEST_QUERY] if is_printable(" ".join(text.split())) else ""


def _check(request: Request) -> None:
    """Problem invalid-parameter for what no form of ours sends."""
    errors: list[tuple[str, str]] = []
    for name in ("q", "near", "product"):
        text = request.query_params.get(name, "")
        if len(text) > LONGEST_QUERY:
            errors.append((name, f"please keep it under {LONGEST_QUERY} characters"))
        elif not is_printable(" ".join(text.split())):
            errors.append((name, "has characters in it that cannot be searched for"))
    if request.query_params.get("radius_km", str(DEFAULT_RADIUS_KM)) not in map(str, RADII_KM):
        errors.append(("radius_km", f"choose one of {', '.join(map(str, RADII_KM))} km"))
    if errors:
        raise problems.invalid(errors)


@router.get("/")
async def page(request: Request) -> Response:
    """The whole site: what it shows depends on how much of the form is filled in."""
    _check(request)
    form, gateway = Form.of(request), gateway_of(request)
    place = _place(gateway, form.near)
    if form.product:
        product = await find_product(gateway, form.product)
        return await _show_product(gateway, form, place, product)
    if not form.q:
        followed = gateway.book.companies()
        return _render(
            "home.html",
            form=form,
            stores=len(gateway.book.all()),
            companies=[wording.company_name(company) for company in COMPANIES if company in followed],
        )
    found = await find_products(gateway, form.q, None, PRODUCTS_PRICED)
    if len(found.products) == 1 and place:
        return await _show_product(gateway, form, place, found.products[0])
    near = await gateway.near(place, form.radius_km, None, STORES_SHOWN) if place else []
    rows = [(product, await _cheapest(gateway, product, near)) for product in found.products]
    rows.sort(key=lambda row: row[1] is None)
    shown = rows[:PRODUCTS_SHOWN]
    more = found.more or len(rows) > len(shown)
    return _render("products.html", form=form, place=place, found=found, near=near, rows=shown, more=more)


def _place(gateway: Gateway, near: str) -> Postcode | None:
    if not near:
        return None
    if len(near) != 4 or not near.isascii() or not near.isdigit():
        padded = near.rjust(4, "0")
        example = padded if near.isascii() and near.isdigit() and gateway.postcodes.get(padded) else "3000"
        raise problems.invalid([("near", f"a postcode has four digits, like {example}")])
    return gateway.postcode(near)


async def _cheapest(gateway: Gateway, product: Product, near: list[Nearby]) -> Priced | None:
    prices = (await offers(gateway, product, near)).prices if near else ()
    return prices[0] if prices else None


async def _show_product(gateway: Gateway, form: Form, place: Postcode | None, product: Product) -> Response:
    near = await gateway.near(place, form.radius_km, None, STORES_SHOWN) if place else []
    found = await offers(gateway, product, near) if near else None
    return _render(
        "prices.html",
        form=form,
        place=place,
        product=product,
        near=near,
        offers=found,
        book=gateway.book,
        groups=alike(found.prices) if found else [],
    )


def is_for(request: Request) -> bool:
    """Whether who asks wants a page: at `/`, or anywhere outside the API with a browser."""
    path = request.url.path
    if path == "/":
        return True
    return not path.startswith("/api") and "text/html" in request.headers.get("accept", "")


def show_problem(request: Request, problem: Problem) -> Response:
    """A problem as a page that helps on."""
    response = _render("problem.html", form=Form.of(request), problem=problem)
    response.status_code = problem.kind.status
    response.headers.update(problem.headers)
    return response


def _render(template: str, **values: object) -> Response:
    return Response(_TEMPLATES.get_template(template).render(**values), media_type="text/html; charset=utf-8")


@router.get("/static/{version}/{name}")
async def static(version: str, name: str) -> Response:
    """A file of the page; its address changes with its content, so it may be kept for ever."""
    if name not in _STATIC or version != _VERSION[name]:
        raise Problem(problems.NOT_FOUND, "There is nothing at this address.", index="/api/v1")
    return Response(
        _CONTENT[name],
        media_type=_STATIC[name],
        headers={"cache-control": "public, max-age=31536000, immutable"},
    )
