"""The canary before an Aldi whose shapes have drifted: what it names, and with which exit code it leaves."""

from collections.abc import Callable
from pathlib import Path

import pytest

from splitcart_sandbox.database import service_dsn
from splitcart_scraper.commands import shell
from tests.support.scraper.cli import command, spoken
from tests.support.scraper.http import Asked, Reply, serving
from tests.support.scraper.tiny_aldi import TinyAldi, reply, service_point, tile

pytestmark = pytest.mark.stack


async def canary(database: str, company: str, address: str, *more: str) -> tuple[int, dict[str, object]]:
    """The command: exit code and JSON."""
    return await command("canary", company, "--base-url", address, *more, **environment(database))


def environment(database: str) -> dict[str, str]:
    return {
        "SPLITCART_POSTGRES_DSN": service_dsn(database, "scraper"),
        "SPLITCART_SCRAPER_GAP_SECONDS": "0",
        "SPLITCART_SCRAPER_BACKOFF_SECONDS": "0.01",
    }


def whole_tile(number: int, **fields: object) -> dict[str, object]:
    """A tile with every field that is read."""
    price = {"amount": 469, "comparison": 168, "comparisonDisplay": "$1.68 per 100 g", "wasPriceDisplay": None}
    assets = [{"url": "https://dm.example/{width}/1/{slug}"}]
    return {**tile(number), "price": price, "assets": assets, **fields}


class Drifting(TinyAldi):
    """An Aldi that answers in full, but for what a function does to each tile."""

    def __init__(self, change: Callable[[dict[str, object]], object] = id) -> None:
        shelves = {str(key): [whole_tile(key * 100 + n) for n in range(20)] for key in (101, 102, 103, 104)}
        super().__init__(stores=[1], outlets_page=100, shelves=shelves)
        for shelf in shelves.values():
            for one in shelf:
                change(one)


def prices_as_text(tile: dict[str, object]) -> None:
    tile["price"] = {**tile["price"], "amount": "4.69"}  # type: ignore[dict-item] # a price


def price_renamed(tile: dict[str, object]) -> None:
    tile["price"] = {"value": 4.69}


@pytest.mark.parametrize(
    ("change", "verdict", "seen"),
    [
        (id, "as-expected", []),
        (prices_as_text, "broken", ["data[].price.amount kind"]),
        (price_renamed, "broken", ["data[].price.amount missing", "data[].price.value new"]),
        (lambda tile: tile.pop("sku"), "broken", ["data[].sku missing"]),
        (lambda tile: tile.update(sku=str(tile["sku"])[6:]), "survived", ["data[].sku kind"]),
        (lambda tile: tile.pop("brandName"), "survived", ["data[].brandName missing"]),
        (lambda tile: tile.update(memberPrice=399), "survived", ["data[].memberPrice new"]),
        (lambda tile: tile.update(assets={"main": "x"}), "broken", ["data[].assets kind"]),
        (lambda tile: tile.update(sellingSize=280), "broken", ["data[].sellingSize kind"]),
    ],
)  # fmt: skip
async def test_drift_is_named_field_by_field(
    database: str, monkeypatch: pytest.MonkeyPatch,
    change: Callable[[dict[str, object]], object], verdict: str, seen: list[str],
) -> None:  # fmt: skip
    async with serving(Drifting(change)) as server:
        words = ("canary", "aldi", "--base-url", f"{server.url}/aldi")
        said = (await spoken(monkeypatch, *words, **environment(database))).content
    (listing,) = (page for page in said["pages"] if page["page"] == "listing")  # type: ignore[attr-defined] # JSON
    named = [f"{drift['path']} {drift['what']}" for drift in listing["drift"]]
    assert [one for one in named if one in seen] == seen, listing
    assert said["verdict"] == verdict, listing
    assert bool(listing["broken"]) == (verdict == "broken")
    for drift in listing["drift"]:
        assert set(drift) == {"path", "what", "expected", "seen", "share", "examples"}
    assert not any("search" in path for path in (asked.path for asked in server.asked) if path.endswith("tree"))


async def test_a_tree_and_a_finder_of_another_shape_are_breaking(database: str) -> None:
    def renamed(asked: Asked) -> Reply:
        if "service-points" in asked.path:
            return reply({"data": [service_point(1)], "meta": {"pagination": {"totalCount": 1}}})
        return reply({"data": [{"id": "1", "title": "Root"}]} if asked.path.endswith("tree") else {})

    async with serving(renamed) as server:
        code, said = await canary(database, "aldi", f"{server.url}/aldi")
        pages = {page["page"]: page for page in said["pages"]}  # type: ignore[attr-defined] # JSON
        assert code == 2
        assert {drift["path"] for drift in pages["tree"]["drift"]} >= {"data[].key", "data[].id", "data[].title"}
        assert "listing" not in pages, "without a tree there is nothing to list"
    async with serving(lambda _: reply({"stores": []})) as server:
        code, said = await canary(database, "aldi", f"{server.url}/aldi")
        assert (code, said["verdict"]) == (2, "broken")


async def test_a_retailer_that_cannot_be_looked_at_is_not_drift(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for answer in (Reply(403), Reply(500), Reply(429, b"", {"retry-after": "9999"})):
        async with serving(lambda asked, a=answer: Reply(404) if "robots" in asked.path else a) as server:
            words = ("canary", "aldi", "--base-url", f"{server.url}/aldi")
            said = (await spoken(monkeypatch, *words, **environment(database))).content
        assert said["verdict"] == "unseen"
    code, said = await canary(database, "aldi", "http://127.0.0.1:9/aldi")
    assert (code, said["verdict"]) == (3, "unseen")


async def test_what_cannot_be_looked_at_for_want_of_a_store_or_a_server_is_not_drift_either(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("canary", "aldi", "--base-url", "http://127.0.0.1:9/aldi", "--store", "G7")
    said = await spoken(monkeypatch, *words, **environment(database))
    assert (said.code, "aldi:G7 is not known" in said.words) == (3, True)
    monkeypatch.setattr(shell, "CONNECT_SECONDS", 0.3)
    nowhere = environment(database) | {"SPLITCART_POSTGRES_DSN": "postgresql://x@127.0.0.1:9/x"}
    said = await spoken(monkeypatch, *words, **nowhere)
    assert (said.code, "there is no postgres" in said.words) == (3, True)


async def test_what_an_operator_has_looked_into_can_be_learnt(database: str, tmp_path: Path) -> None:
    async with serving(Drifting(lambda tile: tile.update(memberPrice=399))) as server:
        address, file = f"{server.url}/aldi", str(tmp_path / "aldi.json")
        code, _ = await canary(database, "aldi", address, "--learn", file)
        assert code == 1
        code, said = await canary(database, "aldi", address, "--expect", file)
        assert (code, said["verdict"]) == (0, "as-expected")
        code, said = await canary(database, "aldi", address, "--expect", f"{file}.gone")
        assert code == 2
        assert f"{file}.gone cannot be read" in str(said["error"])
