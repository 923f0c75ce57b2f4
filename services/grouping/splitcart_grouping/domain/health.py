"""Health: whether a member still bears its anchor's prices."""

from splitcart_grouping.domain.compare import Verdict
from splitcart_grouping.domain.draft import Draft
from splitcart_grouping.domain.groups import Member
from splitcart_grouping.domain.heirs import hand_over
from splitcart_grouping.domain.merge import Merging


def judge(draft: Draft, store: str, member: Member) -> None:
    """A member has settled: confirm it, eject it, or say what is missing for either."""
    anchor = member.anchor
    if draft.market.is_closed(anchor):
        hand_over(draft, anchor)
    elif not draft.comparable(anchor):
        draft.flag(anchor)
    elif not draft.comparable(store):
        _ask_if_due(draft, store, member)
    else:
        _judge_current(draft, store, member)


def _judge_current(draft: Draft, store: str, member: Member) -> None:
    found = draft.compare(store, member.anchor)
    verdict = found.verdict(draft.rules)
    if verdict is Verdict.TOO_LITTLE:
        # Both were seen whole where the last scrape was full: another one would find no more in common.
        if not draft.last_is_full(store):
            _ask_if_due(draft, store, member)
    elif verdict is Verdict.MATCH and draft.leads(member.anchor):
        draft.say(draft.statement(store, member.anchor, found))
    elif verdict is Verdict.MATCH:
        draft.ask(member.anchor, "an anchor needs a full scrape of its own")
    elif draft.last_is_full(store) and draft.leads(store):
        draft.eject(store, member, found)
        Merging(draft).around(store)
    else:
        draft.ask(store, "differs from its anchor, by a scrape that is not full")


def _ask_if_due(draft: Draft, store: str, member: Member) -> None:
    """A confirmation that has lapsed ejects nobody: the store goes on being served by its anchor."""
    if draft.now - member.confirmed_at > draft.rules.confirmation_lasts:
        draft.ask(store, "could not be compared with its anchor for too long")


def review(draft: Draft, anchor: str) -> None:
    """An anchor had a full scrape: its current members are held against it.

    A confirmation that would say what the standing one says is made again only once a day. A member that differs
    now is asked for: it can be ejected only by a full scrape of its own.
    """
    if not (draft.comparable(anchor) and draft.leads(anchor)):
        return
    for store in sorted(draft.groups.followers(anchor)):
        if not draft.comparable(store):
            continue
        found = draft.compare(store, anchor)
        verdict = found.verdict(draft.rules)
        if verdict is Verdict.DIFFERENT:
            draft.ask(store, "its anchor's last scrape differs from it")
        elif verdict is Verdict.MATCH:
            standing, new = draft.groups.members[store], draft.statement(store, anchor, found)
            said, says = ([(e.sku, e.price) for e in of.exceptions] for of in (standing, new))
            if said != says or draft.now - standing.stated_at > draft.rules.restate_after:
                draft.say(new)
