"""What is recorded in both streams: random, of a seed, with repeats and with messages that nobody can read."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from aiokafka import TopicPartition

from splitcart_ingest.domain.membership import Confirmed, Ejected, GroupException
from tests.support.fold_model import EPOCH, LISTINGS, STORES, Message, Scrape, interleave

OBSERVED = (TopicPartition("product-observed", 0), TopicPartition("product-observed", 1))
GROUPED = TopicPartition("store-groups", 0)
PLACES = (*OBSERVED, GROUPED)
REPEATS = 0.2


@dataclass(frozen=True)
class Record:
    """A message where it stands; `unreadable` by the release that folds it live, but not by later ones."""

    offset: int
    message: Message
    unreadable: bool = False


Log = Mapping[TopicPartition, Sequence[Record]]


def some_log(rng: random.Random) -> Log:
    """Both streams: two stores share a partition, a third has its own."""
    streams = {store: _visits(rng, store) for store in STORES}
    shared = interleave([streams[STORES[0]], streams[STORES[1]]], [rng.randrange(2) for _ in range(60)])
    parts = (shared, streams[STORES[2]], _decisions(rng))
    return {
        where: _recorded(rng, messages, letters=where != GROUPED)
        for where, messages in zip(PLACES, parts, strict=True)
    }


def told(log: Log) -> list[Message]:
    """What the log says to whoever folds it plainly: stream after stream, repeats and all, no dead letters."""
    return [record.message for where in PLACES for record in log[where] if not record.unreadable]


def _recorded(rng: random.Random, messages: Sequence[Message], *, letters: bool) -> list[Record]:
    said: list[Message] = []
    for message in messages:
        said.append(message)
        while rng.random() < REPEATS:
            # Mostly what was just said, as a relay repeats it; now and then something long past.
            said.append(rng.choice(said[-4:] if rng.random() < 0.7 else said))
    lost = {n for n, message in enumerate(said) if letters and rng.random() < 0.03 and said.count(message) == 1}
    return [Record(offset, message, offset in lost) for offset, message in enumerate(said)]


def _visits(rng: random.Random, store: str) -> list[Message]:
    """Scrapes of a store: some see all, some a part; times jitter backwards on purpose."""
    out: list[Message] = []
    prices = {x: rng.randrange(100, 103) for x in LISTINGS}
    for number in range(rng.randrange(2, 8)):
        prices |= {x: rng.randrange(100, 103) for x in rng.sample(LISTINGS, rng.randrange(3))}
        seen = list(LISTINGS) if rng.random() < 0.6 else rng.sample(LISTINGS, rng.randrange(len(LISTINGS)))
        tiles = [(x, None if rng.random() < 0.05 else prices[x]) for x in seen]
        # A listing may come again in a later category, at another price.
        tiles += [(x, rng.randrange(100, 103)) for x in rng.sample(LISTINGS, rng.randrange(3))]
        start = EPOCH + timedelta(hours=24 * number + rng.randrange(-30, 7))
        scrape = Scrape(
            scrape_id=_scrape_id(store, number + 1),
            scope=rng.choice(("full", "full", "full", "part")),
            started_at=start,
            finished_at=start + timedelta(hours=rng.randrange(6)),
            seen=tuple(tiles),
            end=rng.choice(("completed", "completed", "completed", "abandoned", "lost")),
            all_categories=rng.random() > 0.15,
            refused=tuple(rng.sample(LISTINGS, rng.choice((0, 0, 1, 2)))),
            without_sku=rng.choice((0, 0, 0, 0, 1)),
        )
        cuts = [rng.randrange(1, 9) for _ in range(rng.randrange(4))]
        out += [(store, message) for message in scrape.messages(cuts)]
    return out


def _decisions(rng: random.Random) -> list[Message]:
    """Confirmations and ejections, of scrapes that may never be folded."""
    said: list[Message] = []
    for version in range(1, rng.randrange(2, 9)):
        at = EPOCH + timedelta(hours=rng.randrange(200))
        store, anchor = rng.sample(STORES, 2)
        if rng.random() < 0.3:
            said.append(Ejected(version, store, at))
            continue
        own = rng.sample(LISTINGS, rng.randrange(4))
        exceptions = {x: GroupException(rng.choice((None, 200, 201)), at) for x in own}
        # Mostly an early scrape, so that something was seen since: else nobody ever serves its own price.
        up_to, anchor_at = rng.choice((1, 1, 2, 2, 3, 4, 6)), rng.randrange(1, 7)
        ids = (_scrape_id(store, up_to), _scrape_id(anchor, anchor_at))
        said.append(Confirmed(version, store, anchor, *ids, exceptions, at))
    return said


def _scrape_id(store: str, number: int) -> UUID:
    return UUID(int=STORES.index(store) * 1000 + number)
