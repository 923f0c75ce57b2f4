"""Every endpoint, on what the views of ingest really say."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from splitcart_sandbox.database import service_dsn
from tests.support.gateway_data import COKE, EVIL, HOSTILE, MILK, OLD_MILK, OUTLETS, TEA, VEGEMITE


async def get(client: httpx.AsyncClient, path: str, **parameters: Any) -> dict[str, Any]:
    response = await client.get(path, params=parameters)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    answer: dict[str, Any] = response.json()
    return answer


async def prices(client: httpx.AsyncClient, product: UUID, **parameters: Any) -> dict[str, Any]:
    answer = await get(client, "/api/v1/prices", product=str(product), **parameters)
    [item] = answer["items"]
    assert item["product_id"] == str(product)
    return dict(item)


def stores(items: list[dict[str, Any]]) -> list[str]:
    return [item["store"] for item in items]


async def test_stores_near_a_postcode_nearest_first(client: httpx.AsyncClient) -> None:
    answer = await get(client, "/api/v1/stores", near="3000", radius_km=5)
    assert answer["near"]["postcode"] == "3000"
    assert answer["total"] == 6
    distances = [store["distance_km"] for store in answer["items"]]
    assert distances == sorted(distances)
    assert set(stores(answer["items"])) == {o.key for o in OUTLETS if o.state == "VIC" and o.lat and not o.closed}
    by_key = {store["store"]: store for store in answer["items"]}
    assert by_key["aldi:G001"]["last_scraped_at"] == "2026-09-02T09:00:00Z"
    assert by_key["iga:100"]["last_scraped_at"] is None


async def test_stores_of_a_company_and_without_a_place(client: httpx.AsyncClient) -> None:
    assert stores((await get(client, "/api/v1/stores", near="3000", company="coles"))["items"]) == [
        "coles:0001",
        "coles:0002",
    ]
    everywhere = await get(client, "/api/v1/stores", company="aldi", limit=2)
    assert (everywhere["near"], everywhere["total"]) == (None, 6)
    assert stores(everywhere["items"]) == ["aldi:G001", "aldi:G002"]
    assert (await get(client, "/api/v1/stores", near="0800"))["items"] == []


@pytest.mark.parametrize(
    ("q", "product"),
    [
        ("milk", MILK),
        ("full cream milk 2l", MILK),
        ("MILKS", MILK),
        ("farmdale", MILK),
        ("vegemite", VEGEMITE),
        ("vegimite", VEGEMITE),
        ("vegmite spred", VEGEMITE),
        ("9300650658615", VEGEMITE),
        ("9300 6506 58615", VEGEMITE),
        ("37352", VEGEMITE),
        ("coca cola", COKE),
        ("cocacola zero", COKE),
        ("coke 24 x 375ml", COKE),
        ("the vert", TEA),
        ("thé", TEA),
        ("alert x", EVIL),
    ],
)
async def test_search(client: httpx.AsyncClient, q: str, product: UUID) -> None:
    answer = await get(client, "/api/v1/products", q=q)
    found = [item["product_id"] for item in answer["items"] + answer["did_you_mean"]]
    assert found[:1] == [str(product)]


async def test_a_product_has_the_listings_of_every_company(client: httpx.AsyncClient) -> None:
    [item] = (await get(client, "/api/v1/products", q="farmdale milk", company="coles"))["items"]
    assert [(listing["company"], listing["sku"]) for listing in item["listings"]] == [
        ("aldi", "000000000000000101"),
        ("coles", "8150288"),
        ("woolworths", "888137"),
    ]
    assert item == await get(client, f"/api/v1/products/{MILK}")
    assert (await get(client, "/api/v1/products", q="vegemite", company="aldi"))["items"] == []


async def test_a_search_that_finds_nothing_says_so(client: httpx.AsyncClient) -> None:
    for q in ("zzzzqqqq", "!!!", "€", "' OR 1=1 --", "zz:* & !yy", "99999999"):
        answer = await get(client, "/api/v1/products", q=q)
        assert answer["items"] == [], q
    answer = await get(client, "/api/v1/products", q="milk", limit=1)
    assert len(answer["items"]) == 1


async def test_hostile_text_is_data(client: httpx.AsyncClient) -> None:
    assert (await get(client, f"/api/v1/products/{EVIL}"))["name"] == HOSTILE


async def test_prices_near_cheapest_first_with_where_and_when_they_were_seen(client: httpx.AsyncClient) -> None:
    item = await prices(client, MILK, near="3000", radius_km=5)
    assert [(price["store"], price["price_cents"]) for price in item["prices"]] == [
        ("aldi:G001", 299),
        ("coles:0001", 310),
        ("coles:0002", 310),
        ("aldi:G002", 329),
    ]
    first, second = item["prices"][:2]
    assert first | {"distance_km": None} == {
        "store": "aldi:G001",
        "company": "aldi",
        "name": "Melbourne Central",
        "suburb": "Melbourne Central",
        "state": "VIC",
        "postcode": "3000",
        "distance_km": None,
        "sku": "000000000000000101",
        "price_cents": 299,
        "price": "$2.99",
        "was_price_cents": 319,
        "was_price": "$3.19",
        "special": "special",
        "seen_at": "2026-09-02T09:00:00Z",
        "seen_store": "aldi:G001",
        "source": "own",
        "anchor": "aldi:G001",
        "age_seconds": 3 * 3600,
        "changed_at": "2026-09-02T09:00:00Z",
    }
    # The partial scrape two hours ago saw the listing again, at the price of five hours ago.
    assert (second["seen_at"], second["changed_at"]) == ("2026-09-02T10:00:00Z", "2026-09-02T07:00:00Z")
    assert (second["age_seconds"], second["special"], second["was_price"]) == (7200, None, None)


async def test_stores_that_do_not_sell_it_and_stores_nobody_looked_at(client: httpx.AsyncClient) -> None:
    item = await prices(client, VEGEMITE, near="3000", radius_km=5)
    assert [(price["store"], price["price_cents"]) for price in item["prices"]] == [
        ("coles:0001", 460),
        ("woolworths:3001", 750),
    ]
    assert {(absent["store"], absent["reason"]) for absent in item["not_sold_at"]} == {
        ("aldi:G001", "not-in-range"),
        ("aldi:G002", "not-in-range"),
        ("coles:0002", "not-in-range"),  # withdrawn
    }
    # What a part of a range does not show is unknown, not absent; so is a store never scraped.
    assert stores(item["unknown"]) == ["iga:100"]
    assert stores((await prices(client, MILK, near="3000"))["unknown"]) == ["woolworths:3001", "iga:100"]


async def test_prices_at_named_stores(client: httpx.AsyncClient) -> None:
    named = ["aldi:G300", "aldi:G900", "aldi:G901", "coles:0002", "aldi:G300"]
    item = await prices(client, MILK, store=named)
    assert [(price["store"], price["distance_km"]) for price in item["prices"]] == [
        ("aldi:G300", None),
        ("coles:0002", None),
    ]
    assert [(absent["store"], absent["reason"]) for absent in item["not_sold_at"]] == [("aldi:G900", "closed")]
    assert stores(item["unknown"]) == ["aldi:G901"]
    both = await prices(client, MILK, near="3000", company="coles", store=["aldi:G300", "coles:0001"])
    assert stores(both["prices"]) == ["aldi:G300", "coles:0001", "coles:0002"]
    assert both["prices"][0]["distance_km"] > 700


async def test_the_id_of_a_merged_product_leads_to_what_it_is_now(client: httpx.AsyncClient) -> None:
    product = await get(client, f"/api/v1/products/{OLD_MILK}")
    assert product == await get(client, f"/api/v1/products/{MILK}")
    assert product["product_id"] == str(MILK)
    asked = [str(OLD_MILK), str(TEA), str(MILK)]
    answer = await get(client, "/api/v1/prices", product=asked, near="3000")
    assert [item["product_id"] for item in answer["items"]] == [str(MILK), str(TEA)]
    assert answer["items"][0]["prices"]


async def test_several_products_in_the_order_asked_for(client: httpx.AsyncClient) -> None:
    asked = [str(TEA), str(MILK), str(TEA)]
    answer = await get(client, "/api/v1/prices", product=asked, near="3000")
    assert [item["product_id"] for item in answer["items"]] == [str(TEA), str(MILK)]
    assert answer["at"] == "2026-09-02T12:00:00Z"


async def test_index_health_and_head(client: httpx.AsyncClient) -> None:
    index = await get(client, "/api/v1")
    assert [company["company"] for company in index["companies"]] == ["aldi", "coles", "woolworths", "iga"]
    assert (await client.get("/healthz")).text == "alive\n"
    assert (await client.get("/readyz")).text == "ready\n"
    assert (
        'splitcart_http_request_seconds_count{route="/api/v1",status="200"}' in (await client.get("/metrics")).text
    )
    head = await client.head("/api/v1")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 100


async def test_every_answer_bears_the_safety_headers(client: httpx.AsyncClient) -> None:
    for path in ("/api/v1", "/", "/nothing", "/api/v1/products/x", "/healthz"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")


async def test_many_at_once_get_the_same_answer(client: httpx.AsyncClient) -> None:
    alone = await prices(client, MILK, near="3000")
    together = await asyncio.gather(*(prices(client, MILK, near="3000") for _ in range(100)))
    assert all(item == alone for item in together)


async def test_the_gateways_role_sees_the_views_and_nothing_else(catalogue: str) -> None:
    connection = await asyncpg.connect(service_dsn(catalogue, "gateway"))
    try:
        assert await connection.fetchval("SELECT count(*) FROM read.own_prices") > 0
        for statement in ("SELECT * FROM ingest_g1.stores", "DELETE FROM read.stores", "CREATE TABLE read.x ()"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_a_member_is_served_by_its_anchor_with_whose_price_it_is_and_since_when(
    client: httpx.AsyncClient,
) -> None:
    milk = {price["store"]: price for price in (await prices(client, MILK, near="7000", radius_km=5))["prices"]}
    member = milk["aldi:HOB2"]
    assert (member["price_cents"], member["source"]) == (305, "anchor")
    assert (member["anchor"], member["seen_store"]) == ("aldi:HOB1", "aldi:HOB1")
    assert (member["seen_at"], member["age_seconds"]) == ("2026-09-02T08:00:00Z", 4 * 3600)
    anchor = milk["aldi:HOB1"]
    assert (anchor["source"], anchor["anchor"], anchor["seen_at"]) == ("own", "aldi:HOB1", member["seen_at"])


async def test_a_member_keeps_its_exceptions(client: httpx.AsyncClient) -> None:
    tea = {price["store"]: price for price in (await prices(client, TEA, near="7000", radius_km=5))["prices"]}
    assert {key: (price["price_cents"], price["source"]) for key, price in tea.items()} == {
        "aldi:HOB1": (285, "own"),
        "aldi:HOB2": (255, "exception"),
    }
    assert tea["aldi:HOB2"]["seen_store"] == "aldi:HOB2"
    assert tea["aldi:HOB2"]["seen_at"] == "2026-09-02T02:00:00Z"
    hostile = await prices(client, EVIL, near="7000", radius_km=5)
    assert stores(hostile["prices"]) == ["aldi:HOB1"]
    [absent] = hostile["not_sold_at"]
    # The last look at the range that stands for its own: the anchor's.
    assert (absent["store"], absent["reason"], absent["seen_at"]) == (
        "aldi:HOB2", "not-in-range", "2026-09-02T08:00:00Z",
    )  # fmt: skip


async def test_groups_with_their_evidence(client: httpx.AsyncClient) -> None:
    answer = await get(client, "/api/v1/groups", company="aldi")
    assert (answer["total"], answer["items"][0]["members"]) == (1, 2)
    group = await get(client, "/api/v1/groups/aldi:HOB2")
    assert group["anchor"] == {"store": "aldi:HOB1", "name": "Hobart", "suburb": "Hobart"}
    anchor, member = group["stores"]
    assert (anchor["store"], anchor["evidence"]) == ("aldi:HOB1", None)
    assert member["name"] == "Sandy Bay"
    evidence = member["evidence"]
    assert (evidence["shared"], evidence["equal"], evidence["share"], evidence["exceptions"]) == (
        400,
        398,
        0.995,
        2,
    )
    assert evidence["confirmed_at"] == "2026-09-02T09:00:00Z"
    assert group == await get(client, "/api/v1/groups/aldi:HOB1")


async def test_how_a_group_came_about_newest_first(client: httpx.AsyncClient) -> None:
    history = await get(client, "/api/v1/groups/aldi:HOB2/history")
    assert [(one["version"], one["kind"]) for one in history["items"]] == [
        (4, "member-confirmed"),
        (3, "groups-merged"),
        (2, "group-formed"),
        (1, "group-formed"),
    ]
    assert history["items"][0]["detail"]["exceptions"][0]["price"] == 255
    assert len((await get(client, "/api/v1/groups/aldi:HOB2/history", limit=1))["items"]) == 1
