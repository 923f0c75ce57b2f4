"""What makes a decoded message impossible to fold."""

from datetime import UTC, datetime

from splitcart_common import events, ids
from splitcart_common.ids import split_store_key
from splitcart_common.lanes import FUTURE_LIMIT, Message
from splitcart_common.outcomes import DeadLetter, Reason

_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""Nothing was observed before: an earlier time is a mistake, and not one that every client can handle."""

_LARGEST_VERSION = 2**31 - 1


def problem_of(message: Message) -> DeadLetter | None:
    """What makes a decoded message impossible to fold: the wrong key, or a time that cannot be."""
    event = message.event
    try:
        split_store_key(message.key)
    except ValueError as error:
        return DeadLetter(Reason.WRONG_KEY, str(error))
    if isinstance(event, events.BarcodesObserved):
        return _problem_of_barcodes(message, event)
    named = getattr(event, "store", message.key)
    if named != message.key:
        return DeadLetter(Reason.WRONG_KEY, f"the key is {message.key}, but the event speaks of {named}")
    return _time_problem(message, _event_time(event))


def _problem_of_barcodes(message: Message, event: events.BarcodesObserved) -> DeadLetter | None:
    """They are a company's, and not bound to a store: the key has to name the company alone."""
    if {ids.company_of(message.key), ids.company_of(event.store)} != {event.company}:
        named = f"{event.company} and {event.store}"
        return DeadLetter(Reason.WRONG_KEY, f"the key is {message.key}, but the event speaks of {named}")
    problems = (_time_problem(message, at) for at in (None, *(item.seen_at for item in event.items)))
    return next(filter(None, problems), None)


def problem_of_marker(message: Message) -> DeadLetter | None:
    """The same of a message on `store-groups`: `topics.py` gives it no dead letters, so it stops the partition."""
    event = message.event
    if not isinstance(event, events.MemberConfirmed | events.MemberEjected):
        return None
    named = [event.store, *([event.anchor] if isinstance(event, events.MemberConfirmed) else [])]
    if {ids.company_of(store) for store in named} != {message.key}:
        return DeadLetter(Reason.WRONG_KEY, f"the key is {message.key}, but the event speaks of {named}")
    if event.version > _LARGEST_VERSION:
        return DeadLetter(Reason.INVALID, f"version {event.version} is beyond counting")
    seen_at = [x.seen_at for x in event.exceptions] if isinstance(event, events.MemberConfirmed) else []
    problems = (_time_problem(message, at) for at in (event.at, *seen_at))
    return next(filter(None, problems), None)


def _time_problem(message: Message, at: datetime | None) -> DeadLetter | None:
    if min(message.envelope.occurred_at, at or _EARLIEST) < _EARLIEST:
        return DeadLetter(Reason.INVALID, f"happened at {at or message.envelope.occurred_at}, before {_EARLIEST}")
    if at is not None and at > message.published_at + FUTURE_LIMIT:
        return DeadLetter(Reason.FROM_THE_FUTURE, f"happened at {at}, published at {message.published_at}")
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
