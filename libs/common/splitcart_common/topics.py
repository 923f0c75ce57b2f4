"""Every topic as a record: this table is what creates them, what documents them, and what tests check.

`docs/events.md` and `docs/asyncapi.json` are generated from it; the services and `splitcart up` create from
it; an architecture test holds each service's subscriptions to the `consumers` named here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from splitcart_common import events as e
from splitcart_common.events import Event

FOR_EVER: Final = {"retention.ms": "-1", "retention.bytes": "-1"}
MAX_BATCH_BYTES: Final = 4 << 20
"""The largest batch of messages, compressed, that the broker takes."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One stream. Its name on the broker is ``<prefix>.<name>.v<major>``.

    `partitions` of product-observed never change (protocol.md, rule 12). `cleanup` "delete" keeps messages
    for ever all the same, as the retention is unlimited.
    """

    name: str
    key: str
    partitions: int
    cleanup: Literal["delete", "compact"]
    events: tuple[type[Event], ...]
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    purpose: str
    dead_letters: bool = True
    major: int = 1

    def on_broker(self, prefix: str) -> str:
        """The topic's full name."""
        return f"{prefix}.{self.name}.v{self.major}"

    def dead_letter_topic(self, prefix: str, service: str) -> str:
        """Where a service puts what it cannot read of this topic."""
        if not self.dead_letters:
            raise ValueError(f"{self.name} has no dead letters: a message that cannot be read stops its consumer")
        return f"{self.on_broker(prefix)}.{service}.dlq"

    def config(self) -> dict[str, str]:
        """Topic settings on the broker: nothing is ever deleted by age or size."""
        return {**FOR_EVER, "cleanup.policy": self.cleanup, "max.message.bytes": str(MAX_BATCH_BYTES)}

    @staticmethod
    def dead_letter_config() -> dict[str, str]:
        """Settings of a dead-letter topic: a letter is its message and some headers more."""
        return {**FOR_EVER, "max.message.bytes": str(2 * MAX_BATCH_BYTES)}


PRODUCT_OBSERVED: Final = Topic(
    name="product-observed",
    key="store",
    partitions=12,
    cleanup="delete",
    events=(e.ScrapeStarted, e.ProductsObserved, e.BarcodesObserved, e.ScrapeCompleted, e.ScrapeAbandoned),
    producers=("scraper",),
    consumers=("ingest",),
    purpose="What the scrapers saw: the source of truth.",
)
PRICE_CHANGED: Final = Topic(
    name="price-changed",
    key="company",
    partitions=12,
    cleanup="delete",
    events=(e.PricesChanged, e.PricesWithdrawn, e.StoreSettled),
    producers=("ingest",),
    consumers=("grouping", "scraper", "gateway"),
    purpose="What the fold of the observations changed. Change-only: a new consumer needs all of it.",
)
STORES: Final = Topic(
    name="stores",
    key="store",
    partitions=4,
    cleanup="compact",
    events=(e.StoreDiscovered, e.StoreClosed),
    producers=("scraper",),
    consumers=("ingest", "grouping"),
    purpose="The full state of each outlet.",
)
LISTING_DESCRIBED: Final = Topic(
    name="listing-described",
    key="company/sku",
    partitions=12,
    cleanup="compact",
    events=(e.ListingDescribed,),
    producers=("ingest",),
    consumers=("ingest", "substitutions"),
    purpose="A new listing, or one whose name, brand, size, barcode, category or image changed.",
)
CATALOGUE: Final = Topic(
    name="catalogue",
    key="-",
    partitions=1,
    cleanup="delete",
    events=(
        e.ProductRegistered,
        e.ListingLinked,
        e.ListingUnlinked,
        e.KeyVariationLearned,
        e.ProductsMerged,
        e.BrandsMerged,
    ),
    producers=("ingest",),
    consumers=("ingest", "substitutions"),
    purpose="Which listings are which product: few events in one total order.",
    dead_letters=False,
)
STORE_GROUPS: Final = Topic(
    name="store-groups",
    key="company",
    partitions=12,
    cleanup="delete",
    events=(
        e.GroupFormed,
        e.MemberConfirmed,
        e.MemberEjected,
        e.GroupsMerged,
        e.AnchorWentStale,
        e.AnchorHandedOver,
        e.RescrapeNeeded,
    ),
    producers=("grouping",),
    consumers=("grouping", "ingest", "scraper", "gateway"),
    purpose="Which stores share prices, with the evidence.",
    dead_letters=False,
)
SUBSTITUTIONS: Final = Topic(
    name="substitutions",
    key="product pair, the smaller id first",
    partitions=6,
    cleanup="compact",
    events=(e.SubstitutionFound, e.SubstitutionWithdrawn),
    producers=("substitutions",),
    consumers=("gateway",),
    purpose="Which products can stand in for each other.",
)
REQUESTS: Final = Topic(
    name="requests",
    key="subject",
    partitions=4,
    cleanup="delete",
    events=(e.RescrapeRequested, e.UnmergeRequested, e.CategoryLinkCorrected, e.SubstituteJudged),
    producers=("gateway",),
    consumers=("scraper", "ingest", "substitutions"),
    purpose="What people ask for through the gateway.",
)

ALL: Final = (
    PRODUCT_OBSERVED,
    PRICE_CHANGED,
    STORES,
    LISTING_DESCRIBED,
    CATALOGUE,
    STORE_GROUPS,
    SUBSTITUTIONS,
    REQUESTS,
)

EVENT_TYPES: Final[Mapping[str, type[Event]]] = {event.TYPE: event for topic in ALL for event in topic.events}
"""Wire name -> struct of the newest version."""


def topic_of(event: type[Event]) -> Topic:
    """The topic an event type is published to."""
    return next(topic for topic in ALL if event in topic.events)
