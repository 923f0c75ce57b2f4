"""`--products FILE`: what a file has is what the simulated retailers of a sandbox sell."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from splitcart_sandbox.commands import app
from splitcart_sandbox.folder import Folder

pytestmark = pytest.mark.stack


def file(folder: Path, *, price: object = 4.5) -> Path:
    """Twenty teas of Coles, in the form of the shared data."""
    rows = [
        {
            "company": "Coles", "sku": str(7_000_000 + n), "name": f"River Tea {n}", "brand": "Banksia Creek",
            "size": "100g", "category_path": [], "price": price, "was_price": None, "unit_price": None,
            "unit_of_measure": None, "is_on_special": False, "scraped_date": "2026-07-15", "barcode": None,
        }
        for n in range(20)
    ]  # fmt: skip
    path = folder / "teas.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


async def test_a_sandbox_sells_what_is_in_the_file(
    broker: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    variables = {
        "SPLITCART_KAFKA_BOOTSTRAP": broker, "SPLITCART_POSTGRES_DSN": database,
        "SPLITCART_TOPIC_PREFIX": topic_prefix,
        "SPLITCART_SIMULATOR_STORES": "3", "SPLITCART_SIMULATOR_LISTINGS": "100",
    }  # fmt: skip
    words = ["up", "--detach", "--services", "simulator", "--products", file(tmp_path).name, "--json"]
    argv = [sys.executable, "-m", "splitcart_sandbox", *words, "--home", str(home)]
    try:
        done = await asyncio.to_thread(
            subprocess.run,
            argv,
            env=os.environ | variables,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        async with httpx.AsyncClient(base_url=json.loads(done.stdout)["addresses"]["simulator"]) as client:
            world = (await client.get("/truth/world")).json()["companies"]
            stores = (await client.get("/truth/stores")).json()["stores"]
            store = next(one["store"] for one in stores if one["company"] == "coles" and one["closed_at"] is None)
            prices = (await client.get("/truth/prices", params={"store": store})).json()["prices"]
            cookie = {"cookie": f"fulfillmentStoreId={store.removeprefix('coles:'):0>4}"}
            page = (await client.get("/coles/product/river-tea-7000000", headers=cookie)).text
        assert {key for key, company in world.items() if company["imported"]} == {"coles"}
        assert world["coles"]["pool"] == 20
        assert len(prices) > 10
        assert set(prices) <= {str(7_000_000 + n) for n in range(20)}
        assert "River Tea 0" in page
    finally:
        CliRunner().invoke(app, ["down", "--home", str(home)])


@pytest.mark.parametrize("verb", ["up", "demo"])
def test_a_file_that_cannot_be_served_is_named_and_nothing_is_started(tmp_path: Path, verb: str) -> None:
    home = tmp_path / "home"
    wrong = ["--products", str(file(tmp_path, price="free")), "--home", str(home)]
    said = CliRunner().invoke(app, [verb, *wrong, "--json"])
    assert said.exit_code == 1
    assert "teas.jsonl is no file of products:\n  line 1: price is 'free'" in json.loads(said.stdout)["error"]
    assert "and 15 lines more" in json.loads(said.stdout)["error"]
    in_words = CliRunner().invoke(app, [verb, *wrong])
    assert in_words.exit_code == 1
    assert "line 1: price is 'free', not dollars above 0" in in_words.stderr
    assert not home.exists()


def test_a_demo_of_other_companies_is_refused(tmp_path: Path) -> None:
    words = [
        "demo",
        "--companies",
        "aldi,iga",
        "--products",
        str(file(tmp_path)),
        "--home",
        str(tmp_path / "home"),
    ]
    said = CliRunner().invoke(app, [*words, "--json"])
    assert said.exit_code == 1
    assert "has products of coles only, not of aldi, iga" in json.loads(said.stdout)["error"]
    assert Folder.existing(tmp_path / "home") is None
