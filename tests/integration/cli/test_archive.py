"""`splitcart archive`: the log to files and back, to the byte; what is damaged or in the way is refused."""

import asyncio
import json
import shutil
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from confluent_kafka import Consumer, Producer, TopicPartition
from cramjam import zstd

from splitcart_cli.archive import create, restore
from splitcart_cli.archive.create import write_archive
from splitcart_cli.archive.manifest import load
from splitcart_cli.archive.parquet import shape_of
from splitcart_cli.archive.restore import restore_archive
from splitcart_cli.log.choosing import Wish
from splitcart_cli.log.streams import STREAMS
from splitcart_cli.shell import CommandError
from splitcart_common.kafka import ensure_topics
from splitcart_common.settings import Settings
from splitcart_common.topics import ALL, EVENT_TYPES, PRODUCT_OBSERVED
from tests.integration.cli.conftest import OTHER, STORE, Log, recorded
from tests.support.bus import Raw, publish, read_topic
from tests.support.ingest import CLOCK, caught_up, country, decisions, fold_in, fold_of_log, running, settings
from tests.support.stack import Server, fresh_database, fresh_prefix

pytestmark = pytest.mark.stack


def odd(broker: str, name: str) -> None:
    """Messages that no client of ours would send."""
    producer = Producer({"bootstrap.servers": broker, "message.max.bytes": 4 << 20})
    producer.produce(name, value=None, key=None, headers=[("h", None), ("h", b"\xff"), ("", b"")], partition=3)
    producer.produce(name, value=b"\xff\x00\n", key=b"\xfe", partition=3)
    producer.produce(name, value=None, key=b"aldi:G1", partition=3)
    producer.produce(name, value=b"x" * (3 << 20), key=b"aldi:G1", partition=3)
    assert producer.flush(10) == 0


def log_of(broker: str, prefix: str, names: Iterable[str] = STREAMS) -> dict[str, list[Raw]]:
    return {name: read_topic(broker, STREAMS[name].on_broker(prefix), STREAMS[name].partitions) for name in names}


async def test_what_is_restored_is_the_log_and_folds_to_the_same(
    broker: str,
    topic_prefix: str,
    database: str,
    postgres: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(create, "FILE_BYTES", 20_000)  # several files a partition
    await ensure_topics(broker, topic_prefix, ALL)
    for said in country(5, stores=12, visits=4, range_size=60):
        await publish(broker, topic_prefix, said)
    await publish(broker, topic_prefix, [*decisions(5, 12, 4, 60, 20), *recorded()])
    await asyncio.to_thread(odd, broker, PRODUCT_OBSERVED.on_broker(topic_prefix))
    async with running(settings(database, broker, topic_prefix)):
        await caught_up(database, broker, topic_prefix)
    here = Settings(kafka_bootstrap=broker, topic_prefix=topic_prefix, clock=CLOCK)
    manifest = await write_archive(here, tmp_path / "log", Wish(), "jsonl")
    before = log_of(broker, topic_prefix)
    assert manifest.messages == sum(map(len, before.values()))
    assert max(len(manifest.files_of("product-observed", n)) for n in range(12)) > 2
    assert set(files_in(tmp_path / "log")) == {"manifest.json", *(file.path for file in manifest.files)}

    async with fresh_prefix(broker) as other, fresh_database(postgres) as second:
        there = Settings(kafka_bootstrap=broker, topic_prefix=other, clock=CLOCK)
        # Only what is observed and decided: the rest follows from it.
        wanted = ["product-observed", "stores", "store-groups", "catalogue"]
        done = await restore_archive(there, tmp_path / "log", wanted)
        assert done.topics["product-observed"] == len(before["product-observed"])
        assert (done.there_before, done.moved) == (0, ())
        after = log_of(broker, other, done.topics)
        for name in done.topics:
            assert after[name] == before[name], name
        assert times(broker, other) == times(broker, topic_prefix)
        async with running(settings(second, broker, other)):
            await caught_up(second, broker, other)
        first, then = await fold_in(database), await fold_in(second)
        # Identity decides on what is described to it anew; what was decided before comes first and stands.
        assert replace(then, catalogue=first.catalogue) == first
        assert then == fold_of_log(broker, other)
        assert log_of(broker, other, ["catalogue"])["catalogue"][: len(before["catalogue"])] == before["catalogue"]


def files_in(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


def times(broker: str, prefix: str) -> list[tuple[int, int, int]]:
    consumer = Consumer({"bootstrap.servers": broker, "group.id": "times", "enable.auto.commit": False})
    name = PRODUCT_OBSERVED.on_broker(prefix)
    places = [TopicPartition(name, n, 0) for n in range(12)]
    left = sum(consumer.get_watermark_offsets(place, timeout=10)[1] for place in places)
    consumer.assign(places)
    found = []
    while len(found) < left:
        message = consumer.poll(10)
        found.append((message.partition(), message.offset(), message.timestamp()[1]))
    consumer.close()
    return sorted(found)


class StoppedError(Exception):
    """Stands for a kill."""


async def test_an_interrupted_archive_goes_on(log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    whole = await write_archive(log.settings, tmp_path / "whole", Wish(), "jsonl")
    written = 0
    genuine = create.write_lines

    def stops(*arguments: object) -> object:
        nonlocal written
        written += 1
        if written == 3:
            raise StoppedError
        return genuine(*arguments)

    monkeypatch.setattr(create, "write_lines", stops)
    monkeypatch.setattr(create, "FILE_BYTES", 2_000)
    with pytest.raises(StoppedError):
        await write_archive(log.settings, tmp_path / "parts", Wish(since="9000d"), "jsonl")
    with pytest.raises(CommandError, match="is not complete: the `archive create` that began it goes on"):
        await restore_archive(log.settings, tmp_path / "parts")
    with pytest.raises(CommandError, match="was begun with other options"):
        await write_archive(log.settings, tmp_path / "parts", Wish(), "jsonl")
    begun = load(tmp_path / "parts")
    done = await write_archive(log.settings, tmp_path / "parts", Wish(since="9000d"), "jsonl")
    assert done.files[: len(begun.files)] == begun.files
    assert done.since == begun.since, "as it was meant when it was begun"
    # The two unreadable messages bear no time that can be read, or do: the broken one keeps its headers.
    assert done.messages == whole.messages
    with pytest.raises(CommandError, match="is a complete archive of"):
        await write_archive(log.settings, tmp_path / "parts", Wish(since="9000d"), "jsonl")


async def test_an_interrupted_restore_goes_on(log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    await write_archive(log.settings, tmp_path / "log", Wish(topics=("product-observed",)), "jsonl")
    genuine = restore._send
    sent = 0

    async def stops(producer, where, records, count):
        nonlocal sent
        some = list(records)
        sent += bool(some)
        if sent == 2 and some:
            await genuine(producer, where, iter(some[:3]), count)
            raise StoppedError
        await genuine(producer, where, iter(some), count)

    async with fresh_prefix(log.broker) as other:
        there = log.settings.model_copy(update={"topic_prefix": other})
        monkeypatch.setattr(restore, "_send", stops)
        with pytest.raises(StoppedError):
            await restore_archive(there, tmp_path / "log")
        monkeypatch.setattr(restore, "_send", genuine)
        with pytest.raises(CommandError, match=r"is not empty .*--resume"):
            await restore_archive(there, tmp_path / "log")
        done = await restore_archive(there, tmp_path / "log", resume=True)
        assert 3 < done.there_before < done.topics["product-observed"] == len(recorded())
        name = STREAMS["product-observed"]
        assert read_topic(log.broker, name.on_broker(other), 12) == read_topic(
            log.broker, name.on_broker(log.prefix), 12
        )
        again = await restore_archive(there, tmp_path / "log", resume=True)
        assert again.there_before == len(recorded())
        await publish(log.broker, other, recorded()[:1])
        with pytest.raises(CommandError, match="holds other messages than the archive"):
            await restore_archive(there, tmp_path / "log", resume=True)


async def test_what_is_damaged_or_in_the_way_is_refused(log: Log, tmp_path: Path):
    good = tmp_path / "good"
    manifest = await write_archive(log.settings, good, Wish(), "jsonl")
    with pytest.raises(
        CommandError, match=r"product-observed\.v1 is not empty \(partition \d+ goes to offset \d+\)"
    ):
        await restore_archive(log.settings, good)
    with pytest.raises(CommandError, match="there is no topic 'gossip'"):
        await restore_archive(log.settings, good, ["gossip"])

    async with fresh_prefix(log.broker) as other:
        there = log.settings.model_copy(update={"topic_prefix": other})

        def damaged(name: str) -> Path:
            shutil.copytree(good, folder := tmp_path / name)
            return folder

        flipped = damaged("flipped")
        victim = flipped / manifest.files[2].path
        content = bytearray(victim.read_bytes())
        content[len(content) // 2] ^= 1
        victim.write_bytes(content)
        cut = damaged("cut")
        (cut / manifest.files[0].path).write_bytes(b"")
        gone = damaged("gone")
        (gone / manifest.files[1].path).unlink()
        outside = damaged("outside")
        text = (
            (outside / "manifest.json")
            .read_text()
            .replace(manifest.files[0].path, "../good/" + manifest.files[0].path)
        )
        (outside / "manifest.json").write_text(text)
        scribbled = damaged("scribbled")
        (scribbled / "manifest.json").write_text("{")
        newer = damaged("newer")
        text = (newer / "manifest.json").read_text().replace("splitcart-archive 1", "splitcart-archive 2")
        (newer / "manifest.json").write_text(text)
        fewer = damaged("fewer")
        text = (fewer / "manifest.json").read_text().replace('"product-observed": 12', '"product-observed": 6')
        (fewer / "manifest.json").write_text(text)
        (tmp_path / "empty").mkdir()
        for folder, said in [
            (flipped, f"{manifest.files[2].path} is damaged: its checksum is another; nothing was restored"),
            (cut, f"{manifest.files[0].path} is damaged: it has 0 bytes, not "),
            (gone, f"{manifest.files[1].path} cannot be read: "),
            (outside, "is outside of the archive"),
            (scribbled, "is damaged, or no manifest of an archive"),
            (newer, "is an archive of another format"),
            (fewer, "the archive has 6 partitions of product-observed, this release 12"),
            (tmp_path / "empty", "is no archive: it has no manifest.json"),
        ]:
            with pytest.raises(CommandError) as caught:
                await restore_archive(there, folder)
            assert said in str(caught.value), folder
        assert not any(name.startswith(f"{other}.") for name in await _names(log.broker)), "nothing was made"

        few = [replace(PRODUCT_OBSERVED, partitions=3, consumers=())]
        await ensure_topics(log.broker, other, few)
        with pytest.raises(CommandError, match=r"product-observed\.v1 has 3 partitions, the archive 12"):
            await restore_archive(there, good)
        with pytest.raises(CommandError, match="is there and is no archive: name another folder"):
            await write_archive(log.settings, tmp_path, Wish(), "jsonl")


async def _names(broker: str) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        return list(await admin.list_topics())
    finally:
        await admin.close()


async def test_a_range_and_the_command(log: Log, tmp_path: Path):
    folder = tmp_path / "coles"
    told = await log.ask(
        "archive", "create", str(folder), "--company", "coles", "--topic", "product-observed", "--json"
    )
    assert told.code == 0, told
    assert (told.one["messages"], told.one["files"], told.one["topics"]) == (3, 1, {"product-observed": 3})
    (line, *_) = await asyncio.to_thread(_lines, folder)
    assert (line["key"], line["value"]["store"]) == (OTHER, OTHER)
    async with fresh_prefix(log.broker) as other:
        back = await log.ask("archive", "restore", str(folder), "--prefix", other, "--json")
        assert back.code == 0, back
        assert (back.one["messages"], back.one["prefix"]) == (3, other)
        wrong = await log.ask("archive", "restore", str(folder), "--prefix", other)
        assert wrong.code == 1
        assert wrong.err.startswith("splitcart: ")
        assert "is not empty" in wrong.err
    since = await write_archive(
        log.settings,
        tmp_path / "late",
        Wish(topics=("product-observed",), store=STORE, since="2026-09-03"),
        "jsonl",
    )
    assert since.messages == 4
    assert not since.keeps_offsets("product-observed")


def _lines(folder: Path) -> list[dict[str, object]]:
    (path,) = folder.glob("product-observed/*.jsonl.zst")
    return [json.loads(line) for line in bytes(zstd.decompress(path.read_bytes())).splitlines()]


@pytest.mark.parametrize("event", EVENT_TYPES.values(), ids=lambda event: event.TYPE)
def test_every_event_is_a_table_whose_columns_have_names_of_their_own(event):
    names = shape_of(event).schema.names
    assert len(set(names)) == len(names)


async def test_tables_for_analysis(log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(create, "FILE_BYTES", 10_000)
    manifest = await write_archive(log.settings, tmp_path / "tables", Wish(), "parquet")
    assert manifest.unreadable == 2, "the broken message and its dead letter"
    observed = pq.read_table(tmp_path / "tables" / "product-observed" / "products-observed", partitioning=None)
    rows = observed.to_pylist()
    assert len(rows) == 60 + 60 + 2
    (milk,) = [row for row in rows if row["sku"] == "milk"]
    assert (milk["price"], milk["message_key"], milk["name"], milk["available"]) == (
        310,
        OTHER,
        "Thing milk",
        True,
    )
    assert (milk["multibuy_quantity"], milk["category_path"], milk["pages"]) == (None, [], [])
    assert milk["occurred_at"].isoformat() == "2026-09-02T00:00:00+00:00"
    started = pq.read_table(tmp_path / "tables" / "product-observed" / "scrape-started").to_pylist()
    assert {row["store"] for row in started} == {STORE, OTHER}
    settled = pq.read_table(tmp_path / "tables" / "price-changed" / "store-settled").to_pylist()
    assert sorted(row["outcome"] for row in settled) == ["full", "full", "full"]
    with pytest.raises(CommandError, match="only archives of lines can be restored"):
        await restore_archive(log.settings, tmp_path / "tables")
    monkeypatch.delitem(sys.modules, "splitcart_cli.archive.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(CommandError, match=r"parquet needs pyarrow, .*splitcart-cli\[parquet\]"):
        await write_archive(log.settings, tmp_path / "more", Wish(), "parquet")
