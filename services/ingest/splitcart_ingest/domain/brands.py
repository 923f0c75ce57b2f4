"""Brands: one form for each spelling, and what is in the field but is no brand."""

import re
from functools import lru_cache
from typing import Final

from splitcart_ingest.domain.normalise import compact, plain

_COMPANY: Final = re.compile(
    r"\b(?:pty|ltd|limited|inc|incorporated|llc|plc|gmbh|s\.a\.?u?|s\.?p\.?a|b\.v|trust|trading as)(?![a-z])"
)


@lru_cache(maxsize=16_384)
def brand_of(text: str | None) -> tuple[str | None, str]:
    """A brand's normal form and its plain text; (None, "") where the field is empty or names a supplier.

    `Mondelez Australia Pty Limited` supplies Cadbury, Oreo and Belvita: it says who was paid, not what is on the
    packet, so it must neither join nor part listings.
    """
    if text is None:
        return None, ""
    spelled = plain(text)
    key = compact(spelled)
    if not key or _COMPANY.search(spelled):
        return None, ""
    return key, spelled
