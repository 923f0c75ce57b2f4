"""Every retailer the scraper can visit, by company key."""

from collections.abc import Mapping
from typing import Final

from splitcart_scraper.retailers.aldi import Aldi
from splitcart_scraper.retailers.base import Retailer
from splitcart_scraper.retailers.coles import Coles
from splitcart_scraper.retailers.iga import Iga
from splitcart_scraper.retailers.woolworths import Woolworths

RETAILERS: Final[Mapping[str, Retailer]] = {
    retailer.company: retailer for retailer in (Aldi(), Coles(), Woolworths(), Iga())
}


def retailer_of(company: str) -> Retailer:
    """The retailer of a company key; ValueError that says which there are."""
    try:
        return RETAILERS[company]
    except KeyError:
        raise ValueError(f"there is no retailer {company!r}: there are {', '.join(RETAILERS)}") from None
