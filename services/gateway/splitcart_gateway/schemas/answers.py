"""What is answered. The routes write plain values; the tests hold them to these models."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


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
    source: Annotated[
        Literal["own", "exception", "anchor"],
        Field(
            description="own: seen at this store; exception: a price of its own beside its group's, stated with "
            "the group's evidence; anchor: seen at the store whose prices it shares"
        ),
    ]
    anchor: Annotated[str, Field(description="the store its group is priced by; itself where it stands alone")]
    age_seconds: Annotated[int, Field(description="since `seen_at`")]
    changed_at: Annotated[
        datetime | None, Field(description="since when it is this price; null of an exception: not known")
    ]


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


class StoreNamed(BaseModel):
    """A store by key and name."""

    store: str
    name: str | None
    suburb: str | None


class GroupOut(BaseModel):
    """Stores of one company that share prices, under one anchor."""

    company: str
    anchor: Annotated[StoreNamed, Field(description="the store whose prices stand for all of them")]
    members: Annotated[int, Field(description="stores in it, the anchor counted")]
    formed_at: Annotated[datetime, Field(description="when the anchor became one")]
    anchor_settled_at: Annotated[datetime | None, Field(description="when the anchor was last seen")]
    stale_since: Annotated[datetime | None, Field(description="when the anchor was found too old to judge by")]
    version: Annotated[int, Field(description="of the company's log of decisions, at the group's last change")]


class EvidenceOut(BaseModel):
    """Why a store is in its group."""

    confirmed_at: datetime
    shared: Annotated[int, Field(description="listings that store and anchor both sell")]
    equal: Annotated[int, Field(description="those of them that bore the same price")]
    share: Annotated[
        float | None,
        Field(
            description="equal / shared, the rule asks for 0.98; null: it came with its former anchor, uncompared"
        ),
    ]
    exceptions: Annotated[int, Field(description="listings priced otherwise, or sold at only one of the two")]
    scrape: Annotated[UUID, Field(description="the scrape of the store that was compared")]
    anchor_scrape: Annotated[UUID, Field(description="the scrape of the anchor it was compared with")]
    rule_version: str
    version: int


class MemberOut(StoreNamed):
    """A store of a group; null evidence: the anchor itself."""

    evidence: EvidenceOut | None


class GroupsAnswer(BaseModel):
    """Largest first, then by anchor."""

    total: Annotated[int, Field(description="groups that match, also those beyond `limit`")]
    items: list[GroupOut]


class GroupAnswer(GroupOut):
    """One group with its stores, the anchor first, then by key."""

    stores: list[MemberOut]


class DecisionOut(BaseModel):
    """One event of the log of groups."""

    version: int
    at: datetime
    kind: Annotated[str, Field(description="the event's type", examples=["member-confirmed"])]
    store: Annotated[str, Field(description="whom it is about")]
    anchor: str | None
    other: Annotated[str | None, Field(description="the other anchor of a merge or a handover")]
    shared: int | None
    equal: int | None
    detail: Annotated[
        dict[str, Any], Field(description="the event; of many exceptions the first few, and their number")
    ]


class GroupHistoryAnswer(BaseModel):
    """Newest first."""

    store: str
    anchor: str
    items: list[DecisionOut]


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
