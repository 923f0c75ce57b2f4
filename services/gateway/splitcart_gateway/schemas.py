"""Requests and answers of the API as pydantic models: what OpenAPI says, and what checks the parameters.

Answers are written by the routes as plain values; the tests hold them to these models.
"""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from splitcart_common.ids import STORE_KEY_PATTERN
from splitcart_gateway.domain.query import LONGEST_QUERY, is_printable

LARGEST_RADIUS_KM = 100.0
DEFAULT_RADIUS_KM = 10.0


def _printable(text: str) -> str:
    if not is_printable(text):
        raise ValueError("must not contain control characters")
    return text


Company = Annotated[
    str,
    AfterValidator(_printable),
    Field(max_length=32, description="only this company: aldi, coles, woolworths or iga", examples=["aldi"]),
]
Near = Annotated[
    str, Field(pattern=r"^[0-9]{4}$", description="an Australian postcode, four digits", examples=["3000"])
]
Radius = Annotated[
    float,
    Field(gt=0, le=LARGEST_RADIUS_KM, allow_inf_nan=False, description="how far a store may be, in kilometres"),
]
ProductId = Annotated[
    str,
    AfterValidator(_printable),
    Field(
        max_length=LONGEST_QUERY,
        description="the id of a product, from /api/v1/products",
        json_schema_extra={"format": "uuid"},
        examples=["4bb3b6ad-54f1-507e-bc63-76cfa11d4817"],
    ),
]
StoreKey = Annotated[str, Field(pattern=STORE_KEY_PATTERN, examples=["aldi:G452"])]


class Parameters(BaseModel):
    """A query string: a parameter that is not known is refused, as it is more likely misspelt than meant."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StoresQuery(Parameters):
    """Which stores."""

    near: Near | None = None
    radius_km: Radius = DEFAULT_RADIUS_KM
    company: Company | None = None
    limit: Annotated[int, Field(ge=1, le=500, description="most stores in the answer")] = 50


class ProductsQuery(Parameters):
    """Which products."""

    q: Annotated[
        str,
        AfterValidator(_printable),
        Field(
            min_length=1,
            max_length=LONGEST_QUERY,
            description="words of name, brand and size (typing errors are forgiven), a barcode or a SKU",
            examples=["vegemite 380g"],
        ),
    ]
    company: Company | None = None
    limit: Annotated[int, Field(ge=1, le=50, description="most products in the answer")] = 20


class NoQuery(Parameters):
    """No parameter at all."""


class PricesQuery(Parameters):
    """Which products at which stores: `near` or `store` is needed, both may be given."""

    product: Annotated[list[ProductId], Field(min_length=1, max_length=20, description="ids of products")]
    near: Near | None = None
    radius_km: Radius = DEFAULT_RADIUS_KM
    company: Company | None = None
    store: Annotated[list[StoreKey], Field(max_length=100, description="stores by their keys")] = []
    limit: Annotated[int, Field(ge=1, le=200, description="most stores near that are looked at")] = 50


class StoreNear(BaseModel):
    """A store, and how far it is."""

    store: Annotated[str, Field(description="the key of the store")]
    company: str
    name: str | None
    suburb: str | None
    state: str | None
    postcode: str | None
    distance_km: Annotated[float | None, Field(description="from the centre of the postcode; null without `near`")]


class StoreFull(StoreNear):
    """A store with all that is known of it."""

    division: str | None
    address: str | None
    lat: float | None
    lon: float | None
    sells_online: bool | None
    last_scraped_at: Annotated[datetime | None, Field(description="null: its prices have not been seen yet")]


class Place(BaseModel):
    """The place that was asked about."""

    postcode: str
    state: str
    lat: float
    lon: float
    radius_km: float


class StoresAnswer(BaseModel):
    """Nearest first; without `near`, by key."""

    near: Place | None
    total: Annotated[int, Field(description="stores that match, also those beyond `limit`")]
    items: list[StoreFull]


class ListingOut(BaseModel):
    """What one company sells under one SKU."""

    company: str
    sku: str
    name: str
    brand: str | None
    size: str | None
    barcode: str | None
    category_path: list[str]
    image_url: str | None


class ProductOut(BaseModel):
    """The thing itself, with every company's listings of it."""

    product_id: UUID
    name: str
    brand: str | None
    size: str | None
    image_url: str | None
    listings: list[ListingOut]


class ProductsAnswer(BaseModel):
    """The best answers first. `did_you_mean` is filled only where nothing was found."""

    query: str
    items: list[ProductOut]
    more: Annotated[bool, Field(description="whether more products match than `limit` lets through")]
    did_you_mean: list[ProductOut]


class PriceOut(StoreNear):
    """A price: at which store it holds, and where and when it was seen."""

    sku: str
    price_cents: int
    price: Annotated[str, Field(description="the same in dollars, for people", examples=["$4.69"])]
    was_price_cents: int | None
    was_price: str | None
    special: Annotated[str | None, Field(description="special, half, down, new or clearance; null: none")]
    seen_at: Annotated[datetime, Field(description="the latest scrape that says this price still holds")]
    seen_store: Annotated[str, Field(description="the store whose shelf says so")]
    age_seconds: Annotated[int, Field(description="since `seen_at`")]
    changed_at: Annotated[datetime, Field(description="since when it is this price")]


class NotSoldOut(StoreNear):
    """A store known not to sell the product."""

    reason: Literal["not-in-range", "closed"]
    seen_at: datetime | None


class ProductPrices(BaseModel):
    """One product at all the stores asked about; each store is in exactly one of the lists."""

    product_id: UUID
    name: str
    brand: str | None
    size: str | None
    prices: Annotated[list[PriceOut], Field(description="cheapest first, then nearest")]
    not_sold_at: list[NotSoldOut]
    unknown: Annotated[list[StoreNear], Field(description="stores whose range nobody has seen yet")]


class PricesAnswer(BaseModel):
    """In the order of the products asked for."""

    at: Annotated[datetime, Field(description="the moment ages are counted to")]
    near: Place | None
    items: list[ProductPrices]


class CompanyOut(BaseModel):
    """A company whose prices are followed."""

    company: str
    name: str


class IndexAnswer(BaseModel):
    """What the API offers."""

    name: str
    version: str
    companies: list[CompanyOut]
    links: dict[str, str]


class ProblemOut(BaseModel):
    """A problem (RFC 9457). Each type adds members of its own; its address describes them."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"additionalProperties": True})

    type: str
    title: str
    status: int
    detail: str
    instance: str


class ProblemKindOut(BaseModel):
    """A type of problem, described."""

    type: str
    title: str
    status: int
    meaning: str


class ProblemKindsAnswer(BaseModel):
    """Every type of problem."""

    items: list[ProblemKindOut]
