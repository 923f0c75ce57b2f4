"""`splitcart schedule show|explain|flag|release`: why a store is or is not next, and when."""

from datetime import timedelta

import pytest

from splitcart_scraper.store import claims
from splitcart_scraper.store.claims import Claim
from tests.support.scraper.cli import spoken
from tests.support.scraper.rig import later, rigged
from tests.support.scraper.tiny_aldi import TinyAldi

pytestmark = pytest.mark.stack

FAR = timedelta(days=1000)
"""By which a lease is not over on the verb's own clock, which is the real one."""


async def test_explain_says_why_and_when_for_each_standing(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with rigged(database, TinyAldi(stores=[1, 2, 3, 4, 5], outlets_page=100)) as rig:
        await rig.discover()
        assert (await rig.scrape()).claim.store == "aldi:G001"
        leased, dead = await rig.claim(), await rig.claim(number=2)
        assert isinstance(leased, Claim)
        assert isinstance(dead, Claim)
        await claims.interrupt(rig.made.pool, dead.owner, rig.clock.wall())
        await claims.renew(rig.made.pool, leased, rig.clock.wall() + FAR)
        await rig.made.pool.execute("UPDATE stores SET closed_at = seen_at WHERE store = 'aldi:G005'")
        later(rig, hours=1)

        async def explained(number: int, **more: str) -> dict[str, object]:
            told = rig.environment() | more
            said = await spoken(monkeypatch, "schedule", "explain", f"aldi:G{number:03}", **told)
            assert said.code == 0, said
            assert said.words.startswith(f"aldi:G{number:03} {said.content['why']}")
            return said.content

        fresh, held, begun, due, closed = [await explained(number) for number in range(1, 6)]
        assert [one["standing"] for one in (fresh, held, begun, due, closed)] == [
            "fresh", "leased", "interrupted", "due", "closed",
        ]  # fmt: skip
        assert fresh["why"] == (
            "is fresh: scraped 2026-09-01T08:00:00+00:00, and prices have not turned since; "
            "due 2026-09-01T14:00:00+00:00 (virtual)"
        )
        assert fresh["due_at"] == "2026-09-01T14:00:00+00:00"
        assert str(held["why"]).startswith("is being scraped; its lease ends ")
        assert begun["why"] == "is number 1 in line, its scrape goes on from the checkpoint; last scraped never"
        assert (due["why"], due["due_at"]) == ("is number 2 in line; last scraped never", None)
        assert closed["why"] == "is closed"
        over = {"SPLITCART_SCRAPER_BUDGET_PER_DAY": "1"}
        later_on = await explained(4, **over)
        assert str(later_on["held_back"]).startswith("over budget: ")
        assert later_on["due_at"] == "2026-09-02T00:00:00+00:00"
        assert (await explained(3, **over))["held_back"] is None, "what has begun goes on"
        unknown = await spoken(monkeypatch, "schedule", "explain", "aldi:G009", **rig.environment())
        assert (unknown.code, "splitcart stores discover aldi" in unknown.words) == (1, True)


async def test_flag_and_release_change_who_is_next(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with rigged(database, TinyAldi(outlets_page=100)) as rig:
        await rig.discover()
        leased = await rig.claim()
        assert isinstance(leased, Claim)
        await claims.renew(rig.made.pool, leased, rig.clock.wall() + FAR)

        async def say(*words: str) -> tuple[int, dict[str, object]]:
            said = await spoken(monkeypatch, "schedule", *words, **rig.environment())
            return said.code, said.content

        assert await say("flag", "aldi:G003", "--why", "a shopper") == (0, {"store": "aldi:G003", "flagged": True})
        _, shown = await say("show", "aldi")
        assert shown["next"] == [
            {"store": "aldi:G003", "why": "flagged: a shopper"},
            {"store": "aldi:G002", "why": "never scraped"},
        ]
        assert await say("flag", "aldi:G003", "--remove") == (0, {"store": "aldi:G003", "flagged": False})
        assert await say("release", "aldi", "--store", "G001") == (
            0, {"company": "aldi", "released": ["aldi:G001"]},
        )  # fmt: skip
        assert await say("release", "aldi") == (0, {"company": "aldi", "released": []})
        code, said = await say("flag", "aldi:G009")
        assert (code, "is not known, or closed" in str(said["error"])) == (1, True)
        rig.clock.ahead = FAR
        again = await rig.claim()
        assert isinstance(again, Claim)
        assert (again.store, again.resumed) == ("aldi:G001", True)


async def test_where_none_is_due_show_says_why_and_when_the_next_one_is(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rigged(database, TinyAldi(stores=[1, 2], outlets_page=100)) as rig:

        async def shown(**more: str) -> tuple[str, dict[str, object]]:
            said = await spoken(monkeypatch, "schedule", "show", "aldi", **rig.environment(), **more)
            return said.words, said.content

        words, _ = await shown()
        assert words == "no stores are known: run `splitcart stores discover` first"
        await rig.discover()
        await rig.scrape()
        leased = await rig.claim()
        assert isinstance(leased, Claim)
        await claims.renew(rig.made.pool, leased, rig.clock.wall() + FAR)
        words, content = await shown()
        assert words.startswith(
            "of 2 stores none is due: 1 scraped within the last 20.0 hours, and no turn of prices since, 1 being "
            "scraped now; the next one at 2026-09-01T14:00:00+00:00"
        )
        assert (content["next"], content["next_due_at"]) == ([], "2026-09-01T14:00:00+00:00")
        later(rig, hours=7)
        words, content = await shown(SPLITCART_SCRAPER_BUDGET_PER_DAY="1")
        assert words.startswith("over budget: ")
        assert content["next_due_at"] == "2026-09-02T00:00:00+00:00"
        assert [one["store"] for one in content["next"]] == ["aldi:G001"]  # type: ignore[attr-defined] # JSON
