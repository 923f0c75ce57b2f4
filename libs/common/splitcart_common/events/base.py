"""What the event types are made of: bounds on what a message may say, and the base they share.

The bounds are wide enough for anything a shelf can hold and narrow enough that nonsense (a price of 10^12,
a name of 10 MB) is refused when the bytes are decoded, before any of it is folded.
"""

from datetime import datetime
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from splitcart_common.ids import STORE_KEY_PATTERN


def whole(pattern: str) -> str:
    """A pattern that a trailing newline does not slip through, as it does before Python's ``$``."""
    return pattern.removesuffix("$") + r"(?!\n)$"


Company = Annotated[str, Meta(pattern=whole(r"^[a-z][a-z0-9-]{0,31}$"), description="Company key, lower case.")]
StoreKey = Annotated[str, Meta(pattern=whole(STORE_KEY_PATTERN), description="<company>:<store_id>.")]
Sku = Annotated[str, Meta(min_length=1, max_length=64, description="The company's own listing number.")]
Cents = Annotated[int, Meta(ge=0, le=10_000_000, description="Australian cents.")]
Count = Annotated[int, Meta(ge=0, le=100_000_000)]
Moment = Annotated[datetime, Meta(tz=True, description="RFC 3339, UTC.")]
ShortText = Annotated[str, Meta(max_length=200)]
LongText = Annotated[str, Meta(max_length=2_000)]
Version = Annotated[int, Meta(ge=1, description="Counts up per company.")]


class Event(Struct, frozen=True):
    """A fact: immutable and past tense. Subclasses give their wire name and version by hand.

    The parts that a message holds by the hundred are declared ``gc=False``: they hold no reference that could
    lead back to them, and the garbage collector otherwise takes three quarters of the time of decoding.
    """

    TYPE: ClassVar[str]
    VERSION: ClassVar[int] = 1
