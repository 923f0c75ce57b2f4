"""`codec`: messages of 200 listings to events, against a bare msgspec decode of the same bytes."""

import time

import msgspec

from benchmarks.data import AT, scrape
from benchmarks.measure import Result, report, rounds
from splitcart_common import ids
from splitcart_common.codec import decode, encode
from splitcart_common.envelope import Envelope
from splitcart_common.events import ProductsObserved
from splitcart_common.topics import PRODUCT_OBSERVED

MESSAGES = 1_000


def main() -> dict[str, object]:
    """Measure and print."""
    scrape_id, events = scrape("aldi:1", 1, list(range(100, 100 + 20_000)))
    batches = [event for event in events if isinstance(event, ProductsObserved)]
    messages = [
        (
            Envelope(
                event_id=ids.batch_id(scrape_id, event.batch),
                event_type=event.TYPE,
                event_version=event.VERSION,
                occurred_at=AT,
                correlation_id=scrape_id,
                producer="bench",
            ).to_headers(),
            encode(event),
        )
        for event in batches
    ]
    messages = (messages * (MESSAGES // len(messages) + 1))[:MESSAGES]
    seen = MESSAGES * len(batches[0].listings)
    bare = msgspec.json.Decoder(ProductsObserved)

    def ours() -> float:
        start = time.perf_counter()
        for headers, value in messages:
            decode(PRODUCT_OBSERVED, headers, value)
        return seen / (time.perf_counter() - start)

    def baseline() -> float:
        start = time.perf_counter()
        for _, value in messages:
            bare.decode(value)
        return seen / (time.perf_counter() - start)

    return report(Result("codec", "obs/s", *rounds(ours, baseline, 7), must_reach=0.8, aim=0.95))


if __name__ == "__main__":
    main()
