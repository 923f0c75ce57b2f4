"""The scraper's metrics, each with its meaning; labels are few and bounded."""

from typing import Final

from prometheus_client import Counter, Gauge

REQUESTS: Final = Counter(
    "splitcart_scraper_requests_total", "Tries of requests to a retailer by what came back", ["company", "outcome"]
)
PAGES: Final = Counter("splitcart_scraper_pages_total", "Listing pages staged", ["company"])
LISTINGS: Final = Counter(
    "splitcart_scraper_listings_total", "Tiles understood, repeats in other categories included", ["company"]
)
REFUSED: Final = Counter("splitcart_scraper_refused_total", "Tiles refused by reason", ["company", "reason"])
SCRAPES: Final = Counter(
    "splitcart_scraper_scrapes_total",
    "Scrapes by how they ended: completed, part, quarantined, interrupted, abandoned-<reason>",
    ["company", "ending"],
)
NEXT_DUE_SECONDS: Final = Gauge(
    "splitcart_scraper_next_due_seconds", "Virtual seconds until the next store is due; 0: one is", ["company"]
)
PAUSED: Final = Gauge(
    "splitcart_scraper_paused", "1 while a company's workers pause after repeated errors", ["company"]
)
OUTLETS: Final = Counter(
    "splitcart_scraper_outlets_total", "Stores published by a discovery: discovered or closed", ["company", "what"]
)
