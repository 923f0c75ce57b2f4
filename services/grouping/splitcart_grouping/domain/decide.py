"""What grouping decides, and when: observations and groups in, events with consecutive versions out.

Neither the market nor the groups are changed: the same `Groups.evolve` folds what comes out, live and in a replay.
The same inputs give the same events.
"""

from datetime import datetime

from splitcart_common.events.base import Event
from splitcart_common.turns import Turns
from splitcart_grouping.domain.draft import Draft
from splitcart_grouping.domain.groups import Groups
from splitcart_grouping.domain.health import judge, review
from splitcart_grouping.domain.heirs import hand_over
from splitcart_grouping.domain.market import Market
from splitcart_grouping.domain.merge import Merging


def on_discovered(market: Market, groups: Groups, store: str, now: datetime) -> list[Event]:
    """A store was discovered: it is a group of one, unless it is in a group already."""
    draft = Draft(market, groups, now, market.turns)
    if groups.anchor_of(store) is None:
        draft.form(store)
    return draft.events


def on_closed(market: Market, groups: Groups, store: str, now: datetime, turns: Turns) -> list[Event]:
    """A store was closed: if others are priced by it, they need an heir. A member stays what it is."""
    draft = Draft(market, groups, now, turns)
    if groups.followers(store) and market.is_closed(store):
        hand_over(draft, store)
    return draft.events


def on_settled(market: Market, groups: Groups, store: str, now: datetime, turns: Turns) -> list[Event]:
    """A scrape of a store has settled: health of a member, health and merges of an anchor.

    Of a store that is closed, or was never discovered, only the prices are kept.
    """
    draft = Draft(market, groups, now, turns)
    if not market.is_open(store):
        return []
    if groups.anchor_of(store) is None:
        draft.form(store)
    member = draft.groups.members.get(store)
    if member is not None:
        judge(draft, store, member)
    elif draft.last_is_full(store):
        review(draft, store)
        Merging(draft).around(store)
    return draft.events


def on_tick(market: Market, groups: Groups, now: datetime, turns: Turns) -> list[Event]:
    """Maintenance, whether or not anything new arrived: heirs, stale anchors, and a full pass of merges."""
    draft = Draft(market, groups, now, turns)
    leading = sorted(anchor for anchor in groups.anchors if groups.followers(anchor))
    for anchor in leading:
        if market.is_closed(anchor):
            hand_over(draft, anchor)
    for anchor in leading:
        if draft.groups.followers(anchor) and not market.is_closed(anchor) and not draft.comparable(anchor):
            draft.flag(anchor)
    Merging(draft).all()
    return draft.events
