"""The OpenAPI document is valid, its examples fit its schemas, and what is answered is what it says."""

from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from splitcart_gateway.openapi import PROBLEMS_OF
from splitcart_sandbox.database import service_dsn
from tests.support.gateway import Proxy, running, until_ready
from tests.support.gateway_data import MILK, TEA, VEGEMITE

NOBODY = "00000000-0000-4000-8000-000000000000"
LONG = "x" * 9000

ANSWERED = {
    "/api/v1": ["/api/v1"],
    "/api/v1/problems": ["/api/v1/problems"],
    "/api/v1/problems/{name}": ["/api/v1/problems/unknown-store"],
    "/api/v1/stores": ["/api/v1/stores?near=3000", "/api/v1/stores", "/api/v1/stores?near=0800"],
    "/api/v1/products": ["/api/v1/products?q=milk", "/api/v1/products?q=zzzz", "/api/v1/products?q=vegimite"],
    "/api/v1/products/{product_id}": [f"/api/v1/products/{MILK}"],
    "/api/v1/prices": [
        f"/api/v1/prices?product={MILK}&product={VEGEMITE}&near=3000",
        f"/api/v1/prices?product={MILK}&store=aldi:G900&store=aldi:G901",
        f"/api/v1/prices?product={TEA}&near=7000",
    ],
    "/api/v1/groups": ["/api/v1/groups", "/api/v1/groups?company=aldi&at_least=2", "/api/v1/groups?company=coles"],
    "/api/v1/groups/{store}": ["/api/v1/groups/aldi:HOB1", "/api/v1/groups/aldi:HOB2"],
    "/api/v1/groups/{store}/history": [
        "/api/v1/groups/aldi:HOB2/history",
        "/api/v1/groups/aldi:HOB1/history?limit=1",
    ],
}
"""Addresses of each operation that answer with 200."""

REFUSED = {
    "/api/v1": {"invalid-parameter": "/api/v1?x=1"},
    "/api/v1/problems": {"invalid-parameter": "/api/v1/problems?x=1"},
    "/api/v1/problems/{name}": {
        "invalid-parameter": "/api/v1/problems/unavailable?x=1",
        "not-found": "/api/v1/problems/nothing",
    },
    "/api/v1/stores": {
        "invalid-parameter": "/api/v1/stores?limit=0",
        "unknown-company": "/api/v1/stores?company=x",
        "unknown-postcode": "/api/v1/stores?near=1999",
    },
    "/api/v1/products": {
        "invalid-parameter": "/api/v1/products",
        "unknown-company": "/api/v1/products?q=milk&company=x",
    },
    "/api/v1/products/{product_id}": {
        "invalid-parameter": f"/api/v1/products/{MILK}?x=1",
        "unknown-product": f"/api/v1/products/{NOBODY}",
        "not-a-product-id": "/api/v1/products/milk",
    },
    "/api/v1/prices": {
        "invalid-parameter": "/api/v1/prices",
        "unknown-company": f"/api/v1/prices?product={MILK}&near=3000&company=x",
        "unknown-postcode": f"/api/v1/prices?product={MILK}&near=1999",
        "unknown-store": f"/api/v1/prices?product={MILK}&store=aldi:x",
        "unknown-product": f"/api/v1/prices?product={NOBODY}&near=3000",
        "not-a-product-id": "/api/v1/prices?product=milk&near=3000",
    },
    "/api/v1/groups": {
        "invalid-parameter": "/api/v1/groups?at_least=0",
        "unknown-company": "/api/v1/groups?company=x",
    },
    "/api/v1/groups/{store}": {
        "invalid-parameter": "/api/v1/groups/nowhere",
        "unknown-store": "/api/v1/groups/aldi:x",
        "not-grouped": "/api/v1/groups/aldi:G001",
    },
    "/api/v1/groups/{store}/history": {
        "invalid-parameter": "/api/v1/groups/aldi:HOB1/history?limit=0",
        "unknown-store": "/api/v1/groups/aldi:x/history",
        "not-grouped": "/api/v1/groups/aldi:G001/history",
    },
}
"""An address for each problem that an operation documents; too long and unavailable are alike for all."""


@pytest.fixture(scope="module")
async def document(client: httpx.AsyncClient) -> dict[str, Any]:
    response = await client.get("/api/v1/openapi.json")
    assert response.status_code == 200
    return dict(response.json())


def validate(document: dict[str, Any], schema: dict[str, Any], value: object) -> None:
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "components": document["components"],
        **schema,
    }
    Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(value)


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {path: item["get"] for path, item in document["paths"].items()}


def test_the_document_has_the_shape_of_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert {"title", "version", "description"} <= set(document["info"])
    ids = set()
    for path, operation in operations(document).items():
        assert set(document["paths"][path]) == {"get"}
        assert operation["summary"]
        assert operation["description"]
        ids.add(operation["operationId"])
        for parameter in operation.get("parameters", ()):
            assert parameter["in"] in {"query", "path"}
            Draft202012Validator.check_schema(parameter["schema"])
            assert "anyOf" not in parameter["schema"], "a parameter is left out, never null"
    assert len(ids) == len(document["paths"])
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for reference in _references(document):
        target: Any = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
    assert document["servers"] == [{"url": "/", "description": document["servers"][0]["description"]}]


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for part in value.values() for found in _references(part)]
    return [found for part in value for found in _references(part)] if isinstance(value, list) else []


def test_every_example_fits_its_schema(document: dict[str, Any]) -> None:
    for operation in operations(document).values():
        for parameter in operation.get("parameters", ()):
            if "example" in parameter:
                validate(document, parameter["schema"], parameter["example"])
        for response in operation["responses"].values():
            for content in response["content"].values():
                examples = [content["example"]] if "example" in content else []
                examples += [example["value"] for example in content.get("examples", {}).values()]
                assert examples, "every answer is shown"
                for example in examples:
                    validate(document, content["schema"], example)


async def test_every_answer_is_as_documented(document: dict[str, Any], client: httpx.AsyncClient) -> None:
    assert set(ANSWERED) == set(document["paths"])
    for path, addresses in ANSWERED.items():
        schema = operations(document)[path]["responses"]["200"]["content"]["application/json"]["schema"]
        for address in addresses:
            response = await client.get(address)
            assert response.status_code == 200, address
            validate(document, schema, response.json())


async def test_every_documented_problem_occurs(
    document: dict[str, Any], client: httpx.AsyncClient, catalogue: str
) -> None:
    proxy = Proxy(service_dsn(catalogue, "gateway"))
    await proxy.open()
    await proxy.shut()
    async with running(proxy.dsn) as without_database:
        await until_ready(without_database, 503)
        for path, kinds in PROBLEMS_OF.items():
            for kind in kinds:
                asked, address = client, REFUSED[path].get(kind.name, "")
                if kind.name == "request-too-long":
                    address = f"{ANSWERED[path][0]}?{LONG}"
                if kind.name == "unavailable":
                    asked, address = without_database, ANSWERED[path][0]
                response = await asked.get(address)
                assert response.json()["type"] == kind.uri, (path, kind.name, response.text)
                documented = operations(document)[path]["responses"][str(response.status_code)]
                content = documented["content"]["application/problem+json"]
                validate(document, content["schema"], response.json())
                assert set(content["examples"][kind.name]["value"]) == set(response.json())
                assert ("Retry-After" in documented.get("headers", {})) == ("retry-after" in response.headers)
