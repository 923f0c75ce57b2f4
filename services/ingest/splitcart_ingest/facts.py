"""Facts of the fold as messages on `price-changed`: one a source message and kind, its id computed from it.

A repeat of the source yields the same ids, and nothing is packed across messages, so that any split of the
stream into transactions says the same (protocol.md, rule 3).
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from uuid import UUID

from splitcart_common import events, ids, outbox
from splitcart_common.events import Event
from splitcart_common.lanes import Message
from splitcart_ingest.book import Sighting
from splitcart_ingest.domain.prices import BatchFolded, Fact, Settled

Sku = Callable[[int], str]


def to_rows(
    fact: Fact,
    cause: Message,
    terms: Sighting | None,
    sku: Sku,
    *,
    prefix: str,
    producer: str,
) -> Iterator[outbox.OutboxRow]:
    """The outbox rows of a fact, in order; `terms` is the sighting that a folded batch came from."""
    store = cause.key

    def row(event: Event, scrape_id: UUID, event_id: UUID, at: datetime) -> outbox.OutboxRow:
        return outbox.to_row(
            prefix,
            ids.company_of(store),
            event,
            event_id=event_id,
            occurred_at=at,
            correlation_id=scrape_id,
            causation_id=cause.envelope.event_id,
            producer=producer,
        )

    match fact:
        case BatchFolded() if fact.changes.listings and terms is not None:
            batch = ids.batch_id(fact.scrape_id, fact.batch)
            changed = _changed(store, fact, terms, sku)
            yield row(changed, fact.scrape_id, ids.derived_id(batch, changed.TYPE), fact.at)
        case Settled():
            if fact.withdrawn:
                withdrawn = events.PricesWithdrawn(
                    store=store,
                    scrape_id=fact.scrape_id,
                    seq=fact.seq,
                    at=fact.started_at,
                    skus=tuple(map(sku, fact.withdrawn)),
                )
                event_id = ids.derived_id(fact.scrape_id, withdrawn.TYPE)
                yield row(withdrawn, fact.scrape_id, event_id, fact.settled_at)
            settled = _settled(store, fact, sku)
            yield row(settled, fact.scrape_id, ids.derived_id(fact.scrape_id, settled.TYPE), fact.settled_at)
        case _:
            return


def _changed(store: str, fact: BatchFolded, terms: Sighting, sku: Sku) -> events.PricesChanged:
    found = fact.changes
    changes = tuple(
        events.PriceChange(sku(number), new, old, terms.was_prices[place], terms.specials[place])
        for number, new, old, place in zip(found.listings, found.new, found.old, found.places, strict=True)
    )
    return events.PricesChanged(
        store=store,
        scrape_id=fact.scrape_id,
        seq=fact.seq,
        batch=fact.batch,
        at=fact.at,
        changes=changes,
    )


def _settled(store: str, fact: Settled, sku: Sku) -> events.StoreSettled:
    return events.StoreSettled(
        store=store,
        scrape_id=fact.scrape_id,
        seq=fact.seq,
        outcome=fact.outcome,
        started_at=fact.started_at,
        settled_at=fact.settled_at,
        created=fact.created,
        updated=fact.updated,
        unchanged=fact.unchanged,
        withdrawn=len(fact.withdrawn),
        listings=fact.listings,
        seen=tuple(map(sku, fact.seen or ())),
    )
