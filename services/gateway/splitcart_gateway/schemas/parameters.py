"""What may be asked: the parameters of each operation, checked."""

from typing import Annotated

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


class GroupsQuery(Parameters):
    """Which groups."""

    company: Company | None = None
    at_least: Annotated[int, Field(ge=1, le=10_000, description="only groups of at least so many stores")] = 1
    limit: Annotated[int, Field(ge=1, le=500, description="most groups in the answer")] = 50


class GroupHistoryQuery(Parameters):
    """How far back."""

    limit: Annotated[int, Field(ge=1, le=500, description="most decisions in the answer")] = 50


class PricesQuery(Parameters):
    """Which products at which stores: `near` or `store` is needed, both may be given."""

    product: Annotated[list[ProductId], Field(min_length=1, max_length=20, description="ids of products")]
    near: Near | None = None
    radius_km: Radius = DEFAULT_RADIUS_KM
    company: Company | None = None
    store: Annotated[list[StoreKey], Field(max_length=100, description="stores by their keys")] = []
    limit: Annotated[int, Field(ge=1, le=200, description="most stores near that are looked at")] = 50
