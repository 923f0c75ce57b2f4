"""What makes a decoded message impossible to fold."""

from splitcart_common import events, ids
from splitcart_common.admission import problem_by_store, time_problem
from splitcart_common.lanes import Message
from splitcart_common.outcomes import DeadLetter, Reason

_LARGEST_VERSION = 2**31 - 1


def problem_of(message: Message) -> DeadLetter | None:
    """What makes a decoded message impossible to fold: the wrong key, or a time that cannot be."""
    return problem_by_store(message.key, message.envelope, message.event, message.published_at)


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
    problems = (time_problem(message.envelope, at, message.published_at) for at in (event.at, *seen_at))
    return next(filter(None, problems), None)
