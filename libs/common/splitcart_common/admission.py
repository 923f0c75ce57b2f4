"""What lets a message in, or makes it a dead letter: its bytes, its headers, its key, its times.

Here is what more than one service goes by. A consumer asks it of every message it is given, and `splitcart dlq
diff` asks it again of those that were refused.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from splitcart_common import events
from splitcart_common.codec import DecodeError, decode
from splitcart_common.envelope import Envelope
from splitcart_common.events import Event
from splitcart_common.ids import company_of, split_store_key
from splitcart_common.outcomes import DeadLetter, Reason
from splitcart_common.topics import Topic

FUTURE_LIMIT: Final = timedelta(minutes=10)
"""An event this much later than its broker's timestamp would clamp its store for ever (events.md)."""

EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Nothing was observed before: an earlier time is a mistake, and not one that every client can handle."""

Headers = Iterable[tuple[str, bytes]]


def admit(
    topic: Topic, key: bytes | None, headers: Headers, value: bytes | None, published_at: datetime
) -> tuple[Envelope, Event, str] | DeadLetter:
    """Envelope, event and key of a message, or why nobody can fold it. `published_at` is virtual."""
    try:
        envelope, event = decode(topic, headers, value)
        name = (key or b"").decode()
    except DecodeError as error:
        return DeadLetter(error.reason, error.error)
    except UnicodeDecodeError as error:
        return DeadLetter(Reason.WRONG_KEY, f"the key is not UTF-8: {error}")
    if envelope.occurred_at > published_at + FUTURE_LIMIT:
        return DeadLetter(
            Reason.FROM_THE_FUTURE, f"occurred at {envelope.occurred_at}, published at {published_at}"
        )
    return envelope, event, name


def problem_by_store(key: str, envelope: Envelope, event: object, published_at: datetime) -> DeadLetter | None:
    """What makes a decoded message of a topic keyed by store impossible to fold: its key, or an impossible time.

    `event` is the event, or what a service keeps of it that has no store and no time of its own.
    """
    try:
        split_store_key(key)
    except ValueError as error:
        return DeadLetter(Reason.WRONG_KEY, str(error))
    if isinstance(event, events.BarcodesObserved):
        return _problem_of_barcodes(key, envelope, event, published_at)
    named = getattr(event, "store", key)
    if named != key:
        return DeadLetter(Reason.WRONG_KEY, f"the key is {key}, but the event speaks of {named}")
    return time_problem(envelope, _event_time(event), published_at)


def _problem_of_barcodes(
    key: str, envelope: Envelope, event: events.BarcodesObserved, published_at: datetime
) -> DeadLetter | None:
    """They are a company's, and not bound to a store: the key has to name the company alone."""
    if {company_of(key), company_of(event.store)} != {event.company}:
        named = f"{event.company} and {event.store}"
        return DeadLetter(Reason.WRONG_KEY, f"the key is {key}, but the event speaks of {named}")
    at = (None, *(item.seen_at for item in event.items))
    return next(filter(None, (time_problem(envelope, moment, published_at) for moment in at)), None)


def time_problem(envelope: Envelope, at: datetime | None, published_at: datetime) -> DeadLetter | None:
    """What is wrong with a time that an event itself gives, None where nothing is or it gives none."""
    if min(envelope.occurred_at, at or EARLIEST) < EARLIEST:
        return DeadLetter(Reason.INVALID, f"happened at {at or envelope.occurred_at}, before {EARLIEST}")
    if at is not None and at > published_at + FUTURE_LIMIT:
        return DeadLetter(Reason.FROM_THE_FUTURE, f"happened at {at}, published at {published_at}")
    return None


def _event_time(event: object) -> datetime | None:
    match event:
        case events.ScrapeStarted():
            return event.started_at
        case events.ScrapeCompleted() | events.ScrapeAbandoned():
            return event.finished_at
        case events.StoreDiscovered():
            return event.seen_at
        case events.StoreClosed():
            return event.at
    return None
