"""`splitcart events`: the log as it stands, by whatever is asked for, and nothing in it is changed."""

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from splitcart_cli.log.causes import look
from splitcart_cli.log.choosing import Wish, choose
from splitcart_cli.log.counting import count
from splitcart_cli.log.seeing import as_json
from splitcart_cli.shell import CommandError, log_reader
from splitcart_common.ids import batch_id, scrape_id
from splitcart_common.outcomes import Reason
from splitcart_common.settings import Settings
from tests.integration.cli.conftest import OTHER, STORE, Log, recorded
from tests.support.bus import publish
from tests.support.ingest import CLOCK, START, scrape
from tests.support.loopback import without_network

pytestmark = pytest.mark.stack

SECOND = scrape_id(START + timedelta(days=2), STORE.encode().ljust(10, b"-")[:10])
OBSERVED = ("product-observed",)


async def test_reading_with_filters(log: Log):
    everything = await log.read(topics=OBSERVED)
    assert len(everything) == len(recorded())
    assert [seen.published_at for seen in everything] == sorted(seen.published_at for seen in everything)
    (unreadable,) = [seen for seen in everything if seen.problem]
    assert unreadable.problem.reason is Reason.UNDECODABLE
    shown = json.loads(as_json(unreadable))
    assert (shown["problem"], shown["value_base64"]) == ("undecodable", "e/8=")

    of_store = await log.read(store=STORE, scrape=str(SECOND))
    assert {seen.stream.name for seen in of_store} == {
        "product-observed",
        "price-changed",
        "listing-described",
    } - {"listing-described"}
    assert [seen.event.TYPE for seen in of_store if seen.stream.name == "product-observed"] == [
        "scrape-started", "products-observed", "products-observed", "scrape-completed"
    ]  # fmt: skip
    milk = await log.read(sku="milk", company="coles", limit=2)
    assert len(milk) == 2
    assert all("milk" in str(seen.event) and seen.key.startswith("coles") for seen in milk)
    since = (START + timedelta(days=2)).isoformat()
    (later,) = await log.read(types=("scrape-started",), since=since)
    assert later.event.scrape_id == SECOND
    earlier = await log.read(types=("scrape-started",), until=since)
    assert {seen.event.store for seen in earlier} == {STORE, OTHER}
    assert all(seen.event.scrape_id != SECOND for seen in earlier)
    partition = later.record.partition
    tail = await log.read(topics=OBSERVED, partition=partition, from_offset=3)
    assert [seen.record.offset for seen in tail] == list(range(3, 3 + len(tail)))
    assert tail


async def test_a_time_narrows_what_is_read_by_the_brokers_times(log: Log):
    """Virtual times of an hour ago were published an hour ago; here all of it was just now."""
    now = datetime.now(UTC)
    assert len(await log.read(topics=OBSERVED)) == len(recorded())
    real = Settings(kafka_bootstrap=log.broker, topic_prefix=log.prefix)
    async with log_reader(real) as reader:
        for ago, whole in ((timedelta(hours=1), True), (-timedelta(hours=1), False)):
            choice = choose(Wish(topics=OBSERVED, since=(now - ago).isoformat()), log.prefix, now)
            spans = await choice.spans(reader, log.prefix, real.clock)
            assert sum(span.size for span in spans) == (len(recorded()) if whole else 0)


async def test_searching(log: Log):
    assert [seen.key for seen in await log.read("THING milk", topics=OBSERVED)] == [OTHER]
    assert await log.read("thing (milk|oat)", topics=OBSERVED) == []
    (described,) = await log.read("thing (milk|oat)", regex=True, topics=("listing-described",))
    assert described.event.sku == "milk"
    with pytest.raises(CommandError, match="no regular expression"):
        await log.read("(", regex=True)


async def test_showing_one_with_its_causes(log: Log):
    changed = (await log.read(types=("prices-changed",), scrape=str(SECOND)))[0]
    seen, chain = await look(log.settings, str(changed.envelope.event_id), Wish())
    assert seen.event == changed.event
    assert [cause.event.TYPE for cause in chain.causes] == ["products-observed", "scrape-started"]
    assert chain.causes[0].envelope.event_id == batch_id(SECOND, 1) == changed.envelope.causation_id
    assert chain.missing is None
    place = changed.place
    assert (await look(log.settings, place, Wish(), causes=False))[1].causes == ()
    letter, _ = await look(log.settings, "product-observed.ingest.dlq/0/0", Wish())
    assert ("dlq-reason", b"undecodable") in letter.record.headers
    for what, said in [
        ("00000000-0000-0000-0000-000000000000", "there is no event 00000000"),
        (f"price-changed/{changed.record.partition}/99", "there is no message at price-changed"),
        ("price-changed/99/0", "has 12 partitions, from 0 on"),
        ("price-changed/1", "is no place"),
        ("G452", "is neither an event id nor a place"),
    ]:
        with pytest.raises(CommandError, match=said):
            await look(log.settings, what, Wish())
    text = (await log.ask("events", "show", place)).out
    assert "it follows from:" in text
    assert "scrape-started" in text
    shown = (await log.ask("events", "show", place, "--json")).one
    assert shown["message"]["event"]["scrape_id"] == str(SECOND)
    assert ["event-type", "prices-changed"] in shown["message"]["headers"]
    assert [cause["type"] for cause in shown["causes"]] == ["products-observed", "scrape-started"]


async def test_counting(log: Log):
    counts = await count(log.settings, Wish())
    observed = counts["product-observed", "products-observed", "aldi"]
    said = [
        one for one in recorded() if dict(one.headers)["event-type"] == b"products-observed" and b"aldi" in one.key
    ]
    assert observed.messages == len(said)
    assert observed.bytes == sum(len(one.value) for one in said)
    assert (observed.first_at, observed.last_at) == (START + timedelta(days=1), START + timedelta(days=2))
    assert observed.per_hour == pytest.approx(len(said) / 24, abs=0.001)
    assert counts["price-changed", "store-settled", "coles"].messages == 1
    only = await count(log.settings, Wish(company="coles", topics=OBSERVED))
    assert sum(one.messages for one in only.values()) == 3
    rows = (await log.ask("events", "stats", "--json", "--topic", "product-observed")).lines
    assert sum(row["messages"] for row in rows) == len(recorded())
    assert {"topic", "type", "company", "per_hour", "bytes", "first_at", "last_published_at"} <= rows[0].keys()


async def test_following(log: Log):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "splitcart_cli", "events", "tail", "--store", STORE, "-n", "1", "--limit", "4",
        "--topic", "product-observed", "--json", stdout=asyncio.subprocess.PIPE,
        env={**without_network(), "SPLITCART_KAFKA_BOOTSTRAP": log.broker, "SPLITCART_TOPIC_PREFIX": log.prefix},
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(30):
        assert b"scrape-completed" in await process.stdout.readline(), "the last that stood there"
        await publish(log.broker, log.prefix, scrape(STORE, 3, {"000": 5}))
        assert b"scrape-started" in await process.stdout.readline()
        assert await process.wait() == 0
        assert len((await process.stdout.read()).splitlines()) == 2


async def test_nothing_is_left_behind(log: Log):
    admin = AIOKafkaAdminClient(bootstrap_servers=log.broker)
    await admin.start()
    try:
        before = await admin.list_consumer_groups()
        assert await log.read()
        assert await admin.list_consumer_groups() == before
    finally:
        await admin.close()


async def test_the_command(log: Log, tmp_path):
    """What is not there is said; lines come as they are asked for."""
    none = await log.ask("events", "read", "--json", SPLITCART_KAFKA_BOOTSTRAP="127.0.0.1:1")
    assert (none.code, "there is no broker at 127.0.0.1:1" in none.one["error"]) == (1, True)
    assert none.err == ""
    with pytest.raises(CommandError, match=r"has none of the topics nobody\.product-observed\.v1"):
        await count(Settings(kafka_bootstrap=log.broker, topic_prefix="nobody", clock=CLOCK), Wish())
    dev = await log.ask("events", "read", "--dev", "--json", SPLITCART_HOME=str(tmp_path))
    assert (dev.code, "no sandbox runs" in dev.one["error"]) == (1, True)
    state = {"phase": "up", "clock": str(CLOCK), "addresses": {"kafka": log.broker, "postgres": "postgresql://x"}}
    (tmp_path / "state.json").write_bytes(msgspec.json.encode(state))
    told = {"SPLITCART_HOME": str(tmp_path), "SPLITCART_KAFKA_BOOTSTRAP": "127.0.0.1:1"}
    found = await log.ask("events", "read", "--dev", "--topic", "product-observed", "--store", STORE, **told)
    lines = found.out.splitlines()
    assert (found.code, found.err) == (0, "")
    assert "scrape-started" in lines[0]
    assert "/0  " in lines[0]
    assert any("unreadable" in line for line in lines)
