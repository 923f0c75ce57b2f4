"""kill -9 of `splitcart barcodes` at random: no product asked again, every barcode said once."""

import asyncio
import json
import random
import signal
import sys
from collections import Counter
from uuid import UUID

import asyncpg
import pytest

from splitcart_common.events import BarcodesObserved
from splitcart_common.ids import batch_id
from splitcart_common.migrations import migrate
from splitcart_sandbox.database import service_dsn
from tests.support.loopback import without_network
from tests.support.scraper.cli import command
from tests.support.scraper.http import Server, serving
from tests.support.scraper.tiny_coles import (
    STORE,
    TinyColes,
    TinyExport,
    code_of,
    listed,
    numbers,
    on_record,
    published,
    sku_of,
)

pytestmark = pytest.mark.stack

PRODUCTS = range(1, 451)


async def killed(server: Server, requests: int, random_: random.Random, *words: str, **environment: str) -> bool:
    """A command that is killed at a random moment after so many product pages; whether it had not ended before."""
    end = len(numbers(server.asked)) + requests
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "splitcart_cli", *words, env={**without_network(), **environment},
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    async with asyncio.timeout(30):
        while len(numbers(server.asked)) < end and process.returncode is None:  # noqa: ASYNC110 - another process's
            await asyncio.sleep(0.002)
    await asyncio.sleep(random_.random() * 0.01)
    alive = process.returncode is None
    if alive:
        process.send_signal(signal.SIGKILL)
    await process.wait()
    return alive


@pytest.mark.parametrize("times", [3, pytest.param(10, marks=[pytest.mark.long, pytest.mark.timeout(600)])])
async def test_a_pass_killed_at_random_is_one_pass(
    database: str, broker: str, topic_prefix: str, times: int
) -> None:
    random_ = random.Random(7)
    await listed(database, PRODUCTS)
    await asyncio.to_thread(migrate, service_dsn(database, "scraper"), "scraper", ["splitcart_scraper"])
    async with asyncpg.create_pool(
        service_dsn(database, "scraper"), server_settings={"search_path": "scraper"}, min_size=1, max_size=1
    ) as pool:
        await on_record(pool)
    known = [n for n in PRODUCTS if n % 7 == 0]
    rows: list[dict[str, object]] = [{"sku": sku_of(n), "barcode": code_of(n)} for n in known]
    export = TinyExport(rows, shape=lambda _, __: rows)
    async with serving(TinyColes(), delay=0.001) as server, serving(export) as gateway:
        environment = {
            "SPLITCART_POSTGRES_DSN": service_dsn(database, "scraper"),
            "SPLITCART_KAFKA_BOOTSTRAP": broker,
            "SPLITCART_TOPIC_PREFIX": topic_prefix,
            "SPLITCART_SCRAPER_BASE_URL_COLES": f"{server.url}/coles",
            "SPLITCART_SCRAPER_GAP_SECONDS": "0",
            "SPLITCART_SCRAPER_LEASE_SECONDS": "1",
        }
        words = ("barcodes", "coles", "--prefill-from", gateway.url)
        kills = 0
        for _ in range(times):
            kills += await killed(server, random_.randint(1, 375 // times), random_, *words, **environment)
        code, said = await command(*words, **environment)
        assert (code, said["left"], said["done"]) == (0, 0, len(PRODUCTS)), said
        assert server.most_in_hand == 1
        asked = Counter(numbers(server.asked))
    assert kills == times
    assert set(asked) == set(PRODUCTS) - set(known)
    assert sum(asked.values()) - len(asked) <= kills, "at most one product is asked for again at a kill"
    by_id: dict[UUID, BarcodesObserved] = {}
    found = await asyncio.to_thread(published, broker, topic_prefix)
    for key, envelope, event in found:
        assert key == event.store == STORE
        assert by_id.setdefault(envelope.event_id, event) == event, "a repeat bears the same id and says the same"
    passes = {envelope.correlation_id for _, envelope, _ in found}
    assert len(passes) == 1
    assert set(by_id) == {batch_id(next(iter(passes)), number) for number in range(1, len(by_id) + 1)}
    items = {item.sku: item for event in by_id.values() for item in event.items}
    assert sum(len(event.items) for event in by_id.values()) == len(items), "each barcode is in one message"
    expected = {sku_of(n): code_of(n) for n in PRODUCTS if n % 10 or n % 7 == 0}
    assert {sku: item.barcode for sku, item in items.items()} == expected
    assert {sku for sku, item in items.items() if item.source == "prefill"} == {sku_of(n) for n in known}


async def test_the_command_says_what_it_did(database: str, broker: str, topic_prefix: str) -> None:
    environment = {
        "SPLITCART_POSTGRES_DSN": service_dsn(database, "scraper"),
        "SPLITCART_KAFKA_BOOTSTRAP": broker,
        "SPLITCART_TOPIC_PREFIX": topic_prefix,
        "SPLITCART_SCRAPER_GAP_SECONDS": "0",
        "SPLITCART_SCRAPER_BACKOFF_SECONDS": "0",
    }
    async with serving(TinyColes()) as server:
        words = ("barcodes", "coles", "--base-url", f"{server.url}/coles")
        code, said = await command(*words, **environment)
        assert (code, "splitcart stores discover coles" in str(said["error"])) == (1, True)
        async with asyncpg.create_pool(
            service_dsn(database, "scraper"), server_settings={"search_path": "scraper"}, min_size=1, max_size=1
        ) as pool:
            await on_record(pool)
        code, said = await command(*words, **environment)
        assert (code, "ingest has not run" in str(said["error"])) == (1, True)
        await listed(database, [1], barcodes=True)
        code, said = await command(*words, **environment)
        assert (code, said["done"], said["left"], said["published"]) == (0, 0, 0, 0)
        await listed(database, [2, 3, 10])
        code, said = await command(*words, "--limit", "2", **environment)
        assert (code, said["done"], said["left"], said["published"]) == (0, 2, 1, 2)
        assert json.loads(json.dumps(said))["findings"]["found"] == 2
        code, said = await command(*words, "--prefill-from", "http://127.0.0.1:9", **environment)
        assert (code, "without --prefill-from" in str(said["error"])) == (1, True)
        code, said = await command("barcodes", "coles", "--base-url", "http://127.0.0.1:9", **environment)
        assert code == 0, "one product that cannot be read is no reason to stop"
    (message,) = await asyncio.to_thread(published, broker, topic_prefix)
    assert {item.sku for item in message[2].items} == {sku_of(2), sku_of(3)}
