"""What can be compared of a generation that holds a time only.

One that ends early is the fold stopped there (protocol.md, rule 9): all that began before is the same. One that
begins late knows nothing of what was before: what is new to it was not new, what it never saw it cannot withdraw,
and its first scrape of a store is a full one. What holds of both is the last price of each listing that it saw.
"""

from typing import Final

from splitcart_common.ids import company_of
from splitcart_common.postgres import Connection
from splitcart_ingest.replay.digest import Part, Place, rows_of
from splitcart_ingest.replay.explain import Difference, Values, compare_rows
from splitcart_ingest.replay.selection import Selection

# A superseded scrape was open as long as the one that ended it had not begun.
_SCRAPES: Final = """
SELECT s.company, s.store, x.seq, x.scrape_id, x.scope, x.started_at,
       CASE WHEN x.outcome <> 'superseded' THEN ROW(x.settled_at, x.outcome, x.listings, x.created, x.updated,
                                                    x.unchanged, x.withdrawn)::text END AS ending
FROM scrapes x JOIN stores s USING (store_id)
WHERE x.started_at < $3
"""
_HISTORY: Final = """
SELECT s.company, s.store, l.sku, h.seq, h.batch, h.at, h.price, h.was_price, h.special
FROM price_history h JOIN stores s USING (store_id) JOIN listings l USING (listing_id)
WHERE h.at < $3
"""
_MARKERS: Final = """
SELECT m.company, s.store, m.version, a.store AS anchor, m.up_to_scrape, m.anchor_scrape, m.decided_at
FROM group_markers m JOIN stores s USING (store_id) JOIN stores a ON a.store_id = m.anchor_id
WHERE m.decided_at < $3
"""
_SEEN: Final = """
SELECT DISTINCT ON (s.company, s.store, l.sku) s.company, s.store, l.sku, h.price,
       bool_or(h.at >= $3) OVER (PARTITION BY h.store_id, h.listing_id) AS within
FROM price_history h JOIN stores s USING (store_id) JOIN listings l USING (listing_id)
WHERE h.price IS NOT NULL AND ($4::timestamptz IS NULL OR h.at < $4)
ORDER BY s.company, s.store, l.sku, h.seq DESC
"""


def parts_of(selection: Selection) -> tuple[Part, ...]:
    """Questions that both generations answer alike; those of a late beginning are asked otherwise."""
    until = (selection.to_at,)
    return (
        Part("history", _HISTORY, 2, until),
        Part("scrapes", _SCRAPES, 1, until),
        Part("markers", _MARKERS, 1, until),
    )


async def prices_seen(
    live: Connection, made: Connection, selection: Selection, store: str
) -> tuple[Place, list[Difference]]:
    """Listings of a store whose last price is not the same, of those that the time of `made` saw."""
    part = Part("prices seen", _SEEN, 1, (selection.from_at, selection.to_at))
    place = Place(company_of(store), store, part.name)
    mine = [_price(row) for row in await rows_of(made, part, place)]
    known = {row["sku"] for row in mine}
    theirs = [_price(row) for row in await rows_of(live, part, place) if row["within"] or row["sku"] in known]
    return place, compare_rows(part, place, theirs, mine)


def _price(row: Values) -> Values:
    return {name: row[name] for name in ("company", "store", "sku", "price")}
