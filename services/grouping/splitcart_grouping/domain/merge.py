"""Merging: anchors that match become one group, the smaller joining the larger, until none match."""

import numpy as np

from splitcart_common.events.groups import GroupsMerged
from splitcart_grouping.domain.compare import matches
from splitcart_grouping.domain.draft import Draft
from splitcart_grouping.domain.kernels import Ints

Match = tuple[str, int, int]
"""An anchor that matches, and how many listings are shared and equal."""


class Merging:
    """The comparable anchors of a company, and which of them were found to match while this lasts.

    No observation changes meanwhile, so a pair is compared once. Pairs that do not match are remembered in the
    market until one of the two settles again.
    """

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        stores = draft.market.stores
        self._names = {stores[anchor].row: anchor for anchor in draft.groups.anchors if anchor in stores}
        rows = np.fromiter(self._names, np.int64, len(self._names))
        self._rows = np.sort(rows[draft.market.full_at[rows] >= draft.since])
        self._matches: dict[str, list[Match]] = {}

    def all(self) -> None:
        """Merge whatever matches. One pass is enough, as a merge changes no vector: each pair is compared once."""
        anchors = sorted((self._names[int(row)] for row in self._rows), key=self._age)
        for anchor in anchors:
            self.around(anchor)

    def around(self, anchor: str) -> None:
        """Merge an anchor with the best match it has, then whichever survives, until nothing matches."""
        survivor: str | None = anchor
        while survivor is not None and survivor in self._draft.groups.anchors and self._draft.comparable(survivor):
            survivor = self._merge_best(survivor)

    def _merge_best(self, anchor: str) -> str | None:
        draft = self._draft
        leads = draft.leads(anchor)
        found = [
            (other, shared, equal)
            for other, shared, equal in self._matching(anchor)
            if other in draft.groups.anchors and (leads or draft.leads(other))
        ]
        if not found:
            return None
        other, shared, equal = min(found, key=lambda match: (-match[2] / match[1], self._age(match[0])))
        survivor, dissolved = sorted((anchor, other), key=self._standing)
        draft.say(GroupsMerged(draft.next, survivor, dissolved, shared, equal, draft.now))
        for store in (*sorted(draft.groups.followers(dissolved)), dissolved):
            draft.move(store, survivor)
        return survivor

    def _matching(self, anchor: str) -> list[Match]:
        known = self._matches.get(anchor)
        if known is None:
            market = self._draft.market
            row = market.stores[anchor].row
            others = market.remembered.unknown(row, self._others(row))
            found = matches(market.vectors, market.drift, row, others, self._draft.rules)
            market.remembered.differ(row, others[~np.isin(others, [other for other, _, _ in found])])
            known = [(self._names[other], shared, equal) for other, shared, equal in found]
            self._matches[anchor] = known
        return known

    def _others(self, row: int) -> Ints:
        anchors = self._draft.groups.anchors
        alive = (other for other in self._rows.tolist() if other != row and self._names[other] in anchors)
        return np.fromiter(alive, np.int64)

    def _age(self, anchor: str) -> tuple[object, str]:
        """Older groups first."""
        return self._draft.groups.anchors[anchor], anchor

    def _standing(self, anchor: str) -> tuple[object, ...]:
        """Who survives comes first: one that may lead, of the larger group, then the older."""
        groups = self._draft.groups
        return not self._draft.leads(anchor), -len(groups.followers(anchor)), *self._age(anchor)
