"""A catalogue that is told of listings, and remembers all that was decided."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from splitcart_common.events import CatalogueEvent, ListingDescribed, UnmergeRequested
from splitcart_ingest.domain.catalogue import Catalogue, ListingId, evolve
from splitcart_ingest.domain.identity import decide, unmerge
from splitcart_ingest.domain.reconcile import reconcile

AT = datetime(2026, 9, 2, tzinfo=UTC)
CODES = (
    "9310072004488",
    "9310072011691",
    "9300632066513",
    "9300675001113",
    "9300617052883",
    "93682459",
    "0012345678905",
)
"""Barcodes with the right check digit."""


def listing(company: str, sku: str, name: str, **more: Any) -> ListingDescribed:
    """A description."""
    return ListingDescribed(company=company, sku=sku, name=name, described_at=AT, by=UUID(int=1), **more)


class Shelf:
    """Decides one thing after another, as the consumer does, and folds each decision before the next."""

    def __init__(self) -> None:
        self.catalogue = Catalogue()
        self.said: list[CatalogueEvent] = []

    def described(self, company: str, sku: str, name: str, **more: Any) -> tuple[Any, ...]:
        """A listing is described; what follows."""
        return self._folded(decide(self.catalogue, listing(company, sku, name, **more)))

    def unmerged(self, subject: str, product: UUID | None) -> tuple[Any, ...]:
        """An operator says that a listing is not a product; what follows."""
        assert product is not None
        requested = UnmergeRequested(subject=subject, by="key-1", reason="not the same", product_id=product)
        return self._folded(unmerge(self.catalogue, requested))

    def reconciled(self, *, whole: bool = False) -> tuple[Any, ...]:
        """Late duplicates; what follows."""
        return self._folded(reconcile(self.catalogue, whole=whole))

    def together(self, one: ListingId, other: ListingId) -> bool:
        """Whether two listings are one product."""
        return self.catalogue.product_of(*one) == self.catalogue.product_of(*other) is not None

    def _folded(self, events: tuple[CatalogueEvent, ...]) -> tuple[CatalogueEvent, ...]:
        for event in events:
            evolve(self.catalogue, event)
        self.said += events
        return events
