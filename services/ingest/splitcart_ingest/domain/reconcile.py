"""Late duplicates: products and brands that turned out to be one."""

from splitcart_common.events import CatalogueEvent
from splitcart_ingest.domain.catalogue import Catalogue


def reconcile(catalogue: Catalogue) -> tuple[CatalogueEvent, ...]:
    """What the catalogue shows to be one: ProductsMerged and BrandsMerged, in a fixed order; () when folded.

    Looks only at keys and barcodes that more than one product has, so it may run after every batch.
    """
    raise NotImplementedError
