"""The facts on the bus, one module per stream.

Every event is a frozen, typed value with a hand-written wire name (``TYPE``) and a ``VERSION``. The structs
are the newest version of each; older ones are lifted to it by `splitcart_common.upcasts`.
"""

from splitcart_common.events.base import Event
from splitcart_common.events.catalogue import (
    BrandsMerged,
    CatalogueEvent,
    KeyVariationLearned,
    ListingDescribed,
    ListingLinked,
    ListingUnlinked,
    ProductRegistered,
    ProductsMerged,
)
from splitcart_common.events.groups import (
    AnchorHandedOver,
    AnchorWentStale,
    GroupException,
    GroupFormed,
    GroupsMerged,
    MemberConfirmed,
    MemberEjected,
    RescrapeNeeded,
)
from splitcart_common.events.observations import (
    BarcodeReading,
    BarcodesObserved,
    Multibuy,
    ObservedListing,
    PageRead,
    ProductsObserved,
    ScrapeAbandoned,
    ScrapeCompleted,
    ScrapeStarted,
)
from splitcart_common.events.prices import PriceChange, PricesChanged, PricesWithdrawn, StoreSettled
from splitcart_common.events.requests import (
    CategoryLinkCorrected,
    RescrapeRequested,
    SubstituteJudged,
    UnmergeRequested,
)
from splitcart_common.events.stores import StoreClosed, StoreDiscovered
from splitcart_common.events.substitutions import SubstitutionFound, SubstitutionWithdrawn

__all__ = [
    "AnchorHandedOver",
    "AnchorWentStale",
    "BarcodeReading",
    "BarcodesObserved",
    "BrandsMerged",
    "CatalogueEvent",
    "CategoryLinkCorrected",
    "Event",
    "GroupException",
    "GroupFormed",
    "GroupsMerged",
    "KeyVariationLearned",
    "ListingDescribed",
    "ListingLinked",
    "ListingUnlinked",
    "MemberConfirmed",
    "MemberEjected",
    "Multibuy",
    "ObservedListing",
    "PageRead",
    "PriceChange",
    "PricesChanged",
    "PricesWithdrawn",
    "ProductRegistered",
    "ProductsMerged",
    "ProductsObserved",
    "RescrapeNeeded",
    "RescrapeRequested",
    "ScrapeAbandoned",
    "ScrapeCompleted",
    "ScrapeStarted",
    "StoreClosed",
    "StoreDiscovered",
    "StoreSettled",
    "SubstituteJudged",
    "SubstitutionFound",
    "SubstitutionWithdrawn",
    "UnmergeRequested",
]
