"""Whatever is sent, the answer says what would have been right; nothing is ever a 500."""

from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.gateway_data import MILK

NOBODY = "00000000-0000-4000-8000-000000000000"


async def problem(client: httpx.AsyncClient, path: str, status: int, kind: str) -> dict[str, Any]:
    response = await client.get(path)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert (document["type"], document["status"]) == (f"/api/v1/problems/{kind}", status)
    assert {"type", "title", "status", "detail", "instance"} <= set(document)
    assert path.startswith(document["instance"].partition("?")[0])
    described = await client.get(document["type"])
    assert described.json()["title"] == document["title"]
    return document


async def test_what_is_unknown_is_answered_with_what_exists(client: httpx.AsyncClient) -> None:
    company = await problem(client, "/api/v1/stores?company=tesco", 422, "unknown-company")
    assert [known["company"] for known in company["companies"]] == ["aldi", "coles", "woolworths", "iga"]
    for path in ("products?q=milk&company=ALDI", f"prices?product={MILK}&near=3000&company="):
        await problem(client, f"/api/v1/{path}", 422, "unknown-company")

    postcode = await problem(client, "/api/v1/stores?near=1999", 404, "unknown-postcode")
    assert postcode["nearest"] == ["2000", "2001", "2002", "2004", "2006"]
    await problem(client, f"/api/v1/prices?product={MILK}&near=1999", 404, "unknown-postcode")

    store = await problem(client, f"/api/v1/prices?product={MILK}&store=aldi:G003", 404, "unknown-store")
    assert "aldi:G002" in store["similar"]

    for path in (f"products/{NOBODY}", f"prices?product={NOBODY}&near=3000"):
        assert "/api/v1/products" in (await problem(client, f"/api/v1/{path}", 404, "unknown-product"))["search"]

    for path in ("products/vegimite", "prices?near=3000&product=vegimite"):
        meant = await problem(client, f"/api/v1/{path}", 422, "not-a-product-id")
        assert meant["did_you_mean"][0]["name"] == "Vegemite Spread"


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("stores?near=300", "near"),
        ("stores?near=30000", "near"),
        ("stores?near=-100", "near"),
        ("stores?near=3000%0a", "near"),
        ("stores?near=%EF%BC%93000", "near"),
        ("stores?near=3000&radius_km=nan", "radius_km"),
        ("stores?near=3000&radius_km=inf", "radius_km"),
        ("stores?near=3000&radius_km=-1", "radius_km"),
        ("stores?near=3000&radius_km=0", "radius_km"),
        ("stores?near=3000&radius_km=6371", "radius_km"),
        ("stores?near=3000&radius_km=1e308", "radius_km"),
        ("stores?near=3000&radius_km=", "radius_km"),
        ("stores?limit=0", "limit"),
        ("stores?limit=-1", "limit"),
        ("stores?limit=501", "limit"),
        ("stores?limit=99999999999999999999999", "limit"),
        ("stores?limit=ten", "limit"),
        ("stores?raduis_km=5", "raduis_km"),
        ("stores?company=a%00b", "company"),
        (f"stores?company={'a' * 33}", "company"),
        ("products", "q"),
        ("products?q=", "q"),
        (f"products?q={'a' * 201}", "q"),
        ("products?q=mi%00lk", "q"),
        ("products?q=a%1b%5b2Jb", "q"),
        ("products?q=milk&limit=51", "limit"),
        ("products?q=milk&cursor=x", "cursor"),
        (f"products/{MILK}?as_of=2026-09-01", "as_of"),
        ("products/mi%00lk", "product_id"),
        (f"products/{'a' * 201}", "product_id"),
        ("prices?near=3000", "product"),
        (f"prices?product={MILK}", "near"),
        ("prices?near=3000&product=a%00b", "product.0"),
        (f"prices?near=3000{f'&product={MILK}' * 21}", "product"),
        (f"prices?product={MILK}&store=nonsense", "store.0"),
        (f"prices?product={MILK}&store=aldi:%00", "store.0"),
        (f"prices?product={MILK}{'&store=aldi:G001' * 101}", "store"),
        (f"prices?product={MILK}&near=3000&limit=201", "limit"),
        ("?x=1", "x"),
        ("problems?x=1", "x"),
    ],
)
async def test_a_refused_parameter_is_named(client: httpx.AsyncClient, path: str, parameter: str) -> None:
    document = await problem(
        client, f"/api/v1{'' if path.startswith('?') else '/'}{path}", 422, "invalid-parameter"
    )
    assert [error["parameter"] for error in document["errors"]] == [parameter]
    assert "\0" not in document["detail"]


async def test_every_refused_parameter_is_named(client: httpx.AsyncClient) -> None:
    path = "/api/v1/stores?near=x&radius_km=nan&limit=0&foo=1"
    document = await problem(client, path, 422, "invalid-parameter")
    assert {error["parameter"] for error in document["errors"]} == {"near", "radius_km", "limit", "foo"}


async def test_an_address_that_is_too_long(client: httpx.AsyncClient) -> None:
    for path in ("/api/v1/products?q=", "/api/v1/prices?product=", "/?q="):
        response = await client.get(path + "a" * 60_000)
        assert response.status_code == 414
        assert response.json()["most_bytes"] == 8192
        assert len(response.content) < 1000


async def test_wrong_addresses_and_methods(client: httpx.AsyncClient) -> None:
    for path in ("/nothing", "/api/v1/stores/", "/api/v2", "/static/x/style.css", "/api/v1/problems/%00"):
        assert (await client.get(path)).json()["type"] == "/api/v1/problems/not-found", path
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        refused = await client.request(method, "/api/v1/stores", content=b"x" * 10_000)
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(["stores", "products", "prices", "problems", "products/", "problems/", "../", ""]),
    rest=st.text(max_size=40),
    names=st.lists(
        st.sampled_from(["q", "near", "radius_km", "company", "limit", "product", "store", "\0", "é"]), max_size=4
    ),
    value=st.one_of(
        st.text(max_size=60),
        st.sampled_from(["3000", str(MILK), "aldi", "aldi:G001", "1", "nan", "'", "\0", "%", "\\", "a" * 300]),
    ),
)
async def test_no_text_anywhere_is_a_fault_of_ours(
    client: httpx.AsyncClient, path: str, rest: str, names: list[str], value: str
) -> None:
    # Lone surrogates cannot be sent as UTF-8: their bytes are sent as they are.
    def sent(text: str) -> str:
        return quote(text.encode("utf-8", "surrogatepass"), safe="")

    query = "&".join(f"{sent(name)}={sent(value)}" for name in names)
    address = f"/api/v1/{path}{sent(rest) if path.endswith('/') else ''}?{query}"
    for asked in (address, f"/?{query}"):
        response = await client.get(asked)
        assert response.status_code < 500, (asked, response.text)


async def test_bytes_that_are_no_text(client: httpx.AsyncClient) -> None:
    for path in (
        "/api/v1/products?q=%ff%fe",
        "/api/v1/products/%ff",
        "/api/v1/products?%ff=1",
        "/?q=%ff&near=3000",
    ):
        assert (await client.get(path)).status_code < 500


async def test_an_id_in_other_writings_is_the_same_product(client: httpx.AsyncClient) -> None:
    for text in (str(MILK).upper(), f"{{{MILK}}}", MILK.hex, f"urn:uuid:{MILK}"):
        assert (await client.get(f"/api/v1/products/{text}")).json()["product_id"] == str(MILK)
    assert (await client.get(f"/api/v1/products/{uuid4()}")).status_code == 404
