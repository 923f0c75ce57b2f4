"""Heirs: a group whose anchor is closed is handed over to one of its members."""

from datetime import datetime

from splitcart_common.events.groups import AnchorHandedOver
from splitcart_grouping.domain.draft import Draft
from splitcart_grouping.domain.merge import Merging
from splitcart_grouping.domain.times import EPOCH


def hand_over(draft: Draft, old: str) -> None:
    """Find an heir for a closed anchor, or ask for the scrape that makes one.

    The heir is the member with the latest current full scrape above its floor. It becomes its own anchor, every
    other member is confirmed to it by what it was priced by before, and the old anchor stays alone.
    """
    followers = draft.groups.followers(old)
    heirs = [store for store in followers if draft.comparable(store) and draft.leads(store)]
    if not heirs:
        _ask_for_one(draft, followers)
        return
    heir = min(heirs, key=lambda store: (-_full_at(draft, store), store))
    draft.eject(heir, draft.groups.members[heir], None)
    draft.say(AnchorHandedOver(draft.next, old, heir, "the anchor is closed", draft.now))
    for store in sorted(followers - {heir}):
        draft.move(store, heir)
    Merging(draft).around(heir)


def _ask_for_one(draft: Draft, followers: frozenset[str]) -> None:
    alive = [store for store in followers if draft.market.is_open(store)]
    if alive:
        latest = max(_settled_at(draft, store) for store in alive)
        draft.ask(
            min(store for store in alive if _settled_at(draft, store) == latest), "the heir of a closed anchor"
        )


def _full_at(draft: Draft, store: str) -> int:
    return int(draft.market.full_at[draft.market.stores[store].row])


def _settled_at(draft: Draft, store: str) -> datetime:
    return draft.settled_at(store) or EPOCH
