"""What a settled scrape adds to the metrics."""

from splitcart_common.telemetry import OBSERVATIONS, SCRAPES
from splitcart_ingest.domain.prices import Settled


def count_settled(company: str, fact: Settled) -> None:
    """Count a scrape by how it ended, and its listings by what became of their prices."""
    SCRAPES.labels(company, fact.outcome).inc()
    effects = {
        "created": fact.created,
        "updated": fact.updated,
        "unchanged": fact.unchanged,
        "withdrawn": len(fact.withdrawn),
    }
    for effect, listings in effects.items():
        OBSERVATIONS.labels(company, effect).inc(listings)
