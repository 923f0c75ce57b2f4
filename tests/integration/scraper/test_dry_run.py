"""`splitcart scrape --dry-run`: one store is read, what would be published is said, and nothing is kept."""

import pytest

from tests.support.scraper.cli import Said, spoken
from tests.support.scraper.http import Reply
from tests.support.scraper.rig import Rig, rigged
from tests.support.scraper.tiny_aldi import BREAD, tile

pytestmark = pytest.mark.stack

KEPT = """
SELECT (SELECT count(*) FROM runs) + (SELECT count(*) FROM staged_pages) + (SELECT count(*) FROM known_prices)
  + (SELECT count(*) FROM outbox WHERE topic LIKE '%observed%') + (SELECT count(last_claimed_at) FROM stores)
"""


async def tried(rig: Rig, monkeypatch: pytest.MonkeyPatch, *words: str) -> Said:
    said = await spoken(monkeypatch, "scrape", "aldi", "--dry-run", *words, **rig.environment())
    assert await rig.made.pool.fetchval(KEPT) == 0, "no claim, no page, no message"
    return said


async def test_it_says_what_would_be_published_and_keeps_nothing(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rigged(database) as rig:
        nothing = await tried(rig, monkeypatch)
        assert (nothing.code, "no stores are known" in nothing.words) == (1, True)
        await rig.discover()
        said = await tried(rig, monkeypatch)
        assert (said.code, said.words) == (
            0,
            "aldi:G001: 120 listings on 6 pages, 7 requests, 3 of 3 categories, 0 refused; would be published",
        )
        assert said.content == {
            "store": "aldi:G001", "dry_run": True, "listings": 120, "pages": 6, "requests": 7, "refused": 0,
            "categories_finished": 3, "categories_planned": 3, "quarantined": None, "abandoned": None,
        }  # fmt: skip
        part = await tried(rig, monkeypatch, "--store", "G003", "--max-requests", "3")
        assert part.words.startswith("aldi:G003: 60 listings on 2 pages, 3 requests, 0 of 3 categories")
        unknown = await tried(rig, monkeypatch, "--store", "G999")
        assert (unknown.code, "aldi:G999 is not known" in unknown.words) == (1, True)
        alien = await tried(rig, monkeypatch, "--store", "coles:1")
        assert (alien.code, alien.words) == (2, "coles:1 is no store of aldi")


async def test_what_would_be_quarantined_or_abandoned_is_said_too(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rigged(database) as rig:
        await rig.discover()
        good, rig.aldi.shelves[BREAD] = rig.aldi.shelves[BREAD], [tile(n, "2.50") for n in range(66, 111)]
        said = await tried(rig, monkeypatch)
        assert (said.code, said.words.partition("; ")[2][:30]) == (0, "parse budget: 45 of 125 tiles ")
        assert str(said.content["quarantined"]).startswith("parse budget: 45 of 125")
        rig.aldi.shelves[BREAD] = good
        rig.aldi.fault = lambda asked: Reply(403) if asked.query.get("offset") == "30" else None
        said = await tried(rig, monkeypatch)
        assert str(said.content["abandoned"]).startswith("bot-wall: HTTP 403")
        assert said.words.startswith("aldi:G001: 30 listings on 1 pages, 2 requests, 0 of 3 categories")
