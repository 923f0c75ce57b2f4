"""A search for stores that a host breaks off goes on where it was, on a real server."""

from datetime import timedelta

import pytest

from splitcart_common.events import StoreClosed
from splitcart_common.topics import STORES
from tests.support.scraper.http import Asked, Reply
from tests.support.scraper.rig import Rig, later, rigged
from tests.support.scraper.tiny_aldi import TinyAldi

pytestmark = pytest.mark.stack

WALL = Reply(403)


def walled_at(offset: int):
    """A wall at one of the finder's pages, each of which has one store."""
    return lambda asked: WALL if asked.query.get("offset") == str(offset) else None


def town() -> TinyAldi:
    return TinyAldi(stores=[1, 2, 3, 4, 5], outlets_page=1)


def asked_for(rig: Rig, since: int) -> list[int]:
    return [int(asked.query["offset"]) for asked in rig.server.asked[since:] if "offset" in asked.query]


async def test_it_asks_only_for_what_is_left(database: str) -> None:
    aldi = town()
    aldi.fault = walled_at(3)
    async with rigged(database, aldi) as rig:
        first = await rig.company.discovery.if_due()
        assert first is not None
        assert (first.stores, first.trouble is None) == (3, False)
        assert len(await rig.said(STORES)) == 3, "what was found can be scraped"
        asked = len(rig.server.asked)
        rig.aldi.fault = lambda _: None
        rig.clock.ahead += timedelta(minutes=1)
        second = await rig.company.discovery.if_due()
        assert second is not None
        assert (second.stores, second.trouble) == (5, None)
        assert asked_for(rig, asked) == [3, 4]
        assert not [event for _, _, event in await rig.said(STORES) if isinstance(event, StoreClosed)]
        assert await rig.made.pool.fetchval("SELECT max(missed) FROM stores") == 0, "none was looked for in vain"
        assert await rig.company.discovery.if_due() is None, "it is complete"


async def test_it_rests_for_as_long_as_it_was_at_it(database: str) -> None:
    aldi = town()
    async with rigged(database, aldi) as rig:

        def slow(asked: Asked) -> Reply | None:
            rig.clock.ahead += timedelta(minutes=10)
            return walled_at(3)(asked)

        aldi.fault = slow
        assert await rig.company.discovery.if_due() is not None
        rig.clock.ahead += timedelta(minutes=10 * len(rig.server.asked) - 1)
        assert await rig.company.discovery.if_due() is None
        rig.clock.ahead += timedelta(minutes=1)
        assert await rig.company.discovery.if_due() is not None
        # Now it has not got on: at most a tenth of the time goes into such.
        rig.clock.ahead += timedelta(minutes=9 * 10 * len(rig.server.asked) - 1)
        assert await rig.company.discovery.if_due() is None
        rig.clock.ahead += timedelta(minutes=1)
        assert await rig.company.discovery.if_due() is not None


async def test_a_long_one_says_what_it_has_found_on_the_way(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("splitcart_scraper.handlers.discovery.AT_ONCE", 2)
    async with rigged(database, town()) as rig:
        found = []
        while (part := await rig.company.discovery.if_due()) is not None:
            found.append((part.stores, part.requests, part.complete, part.trouble))
        assert found == [(2, 2, False, None), (4, 2, False, None), (5, 1, True, None)]
        assert asked_for(rig, 0) == [0, 1, 2, 3, 4]
        assert [key for key, _, _ in await rig.said(STORES)] == [f"aldi:G00{n}" for n in (1, 2, 3, 4, 5)]
        # Whoever asks for it has the whole of it.
        asked = len(rig.server.asked)
        whole = await rig.company.discovery.now()
        assert whole is not None
        assert (whole.stores, whole.complete) == (5, True)
        assert asked_for(rig, asked) == [0, 1, 2, 3, 4]


async def test_one_that_broke_off_long_ago_begins_anew(database: str) -> None:
    aldi = town()
    aldi.fault = walled_at(3)
    async with rigged(database, aldi) as rig:
        assert await rig.company.discovery.if_due() is not None
        asked = len(rig.server.asked)
        aldi.fault = lambda _: None
        aldi.stores = [2, 3, 4, 5]
        rig.clock.ahead += timedelta(minutes=1)
        later(rig, days=8)
        again = await rig.company.discovery.if_due()
        assert again is not None
        assert (again.stores, again.trouble) == (4, None)
        assert asked_for(rig, asked) == [0, 1, 2, 3]
