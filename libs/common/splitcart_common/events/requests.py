"""`requests`: what people ask for through the gateway. `by` is the id of the key that asked."""

from typing import ClassVar, Literal
from uuid import UUID

from splitcart_common.events.base import Event, LongText, ShortText, StoreKey


class RescrapeRequested(Event, frozen=True):
    """Somebody wants a store visited again soon."""

    TYPE: ClassVar[str] = "rescrape-requested"

    subject: StoreKey
    by: ShortText
    reason: LongText


class UnmergeRequested(Event, frozen=True):
    """Somebody says that a listing is not the product it was linked to; the subject is `company/sku`."""

    TYPE: ClassVar[str] = "unmerge-requested"

    subject: ShortText
    by: ShortText
    reason: LongText
    product_id: UUID


class CategoryLinkCorrected(Event, frozen=True):
    """An operator's word on whether two companies' categories are the same thing."""

    TYPE: ClassVar[str] = "category-link-corrected"

    subject: ShortText
    by: ShortText
    reason: LongText
    category_a: ShortText
    category_b: ShortText
    linked: bool


class SubstituteJudged(Event, frozen=True):
    """A shopper accepted or refused a substitute."""

    TYPE: ClassVar[str] = "substitute-judged"

    subject: ShortText
    by: ShortText
    reason: LongText
    product_a: UUID
    product_b: UUID
    verdict: Literal["approved", "rejected"]
