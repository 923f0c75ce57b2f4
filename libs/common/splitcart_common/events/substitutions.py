"""`substitutions`: pairs of products that can stand in for each other; the smaller id first."""

from typing import Annotated, Any, ClassVar
from uuid import UUID

from msgspec import Meta

from splitcart_common.events.base import Event, Moment, ShortText


class SubstitutionFound(Event, frozen=True):
    """A pair, its best level (1 to 4) and score (0 to 1)."""

    TYPE: ClassVar[str] = "substitution-found"

    product_a: UUID
    product_b: UUID
    level: Annotated[int, Meta(ge=1, le=4)]
    score: Annotated[float, Meta(ge=0, le=1)]
    evidence: dict[str, Any]
    model_version: ShortText
    at: Moment


class SubstitutionWithdrawn(Event, frozen=True):
    """A pair that no longer holds."""

    TYPE: ClassVar[str] = "substitution-withdrawn"

    product_a: UUID
    product_b: UUID
    reason: ShortText
    at: Moment
