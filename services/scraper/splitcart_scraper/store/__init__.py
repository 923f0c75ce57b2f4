"""The scraper's SQL as functions that take and return domain values; its texts are in ``sql/queries.sql``."""

from typing import Final

from splitcart_common.postgres import load_queries

SCHEMA: Final = "scraper"
Q: Final = load_queries("splitcart_scraper")


class LeaseLostError(RuntimeError):
    """Another worker has the store in hand now: what this one still has to write is not written."""
