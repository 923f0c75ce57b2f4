"""A generation made by a replay is what the live one is; what is not the same is found and explained."""

import asyncpg
import pytest

from splitcart_common.topics import CATALOGUE, LISTING_DESCRIBED, PRICE_CHANGED, PRODUCT_OBSERVED, STORE_GROUPS
from splitcart_ingest.replay.abandon import abandon
from splitcart_ingest.replay.errors import RefusedError
from splitcart_ingest.replay.selection import Selection
from tests.support.bus import read_topic
from tests.support.ingest import START, running, scrape
from tests.support.replay import compared, spoilt


def said(live):
    topics = (PRICE_CHANGED, LISTING_DESCRIBED, CATALOGUE, STORE_GROUPS)
    return [read_topic(live.broker, topic.on_broker(live.prefix), topic.partitions) for topic in topics]


async def test_it_equals_the_live_one_and_says_nothing(live):
    before = said(live)
    done = await live.run()
    assert (done.generation.number, done.generation.state, done.skipped, done.refused_now) == (2, "built", 2, ())
    found = await compared(live)
    assert found.equal, [str(row) for row in found.rows]
    assert found.live == found.made
    assert found.live.keys() == {"aldi", "coles"}
    assert found.digests > 40
    assert said(live) == before
    # Products are repeated from their log, and group decisions are folded from theirs: nothing is decided again.
    assert found.left_out == ()
    for table, least in (("products", 30), ("group_markers", 20), ("group_exceptions", 10)):
        counts = [await live.ask(f"SELECT count(*) FROM ingest_g{number}.{table}") for number in (1, 2)]
        assert counts[0] == counts[1] >= least, table
    assert await live.ask("SELECT count(*) FROM ingest_g2.outbox") == 0
    indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname = $1 ORDER BY indexname"
    mine, theirs = await live.fetch(indexes, "ingest_g2"), await live.fetch(indexes, "ingest_g1")
    assert [row[0].replace("_g2", "_g1") for row in mine] == [row[0] for row in theirs]


async def test_it_is_brought_to_where_the_live_one_is_by_then(live):
    await live.run(workers=3)
    async with running(live.given):
        await live.publish(scrape("aldi:S003", 20, {f"{k:06d}": 77 for k in range(40)}))
        await live.caught_up()
        found = await compared(live)
        assert found.equal
        await live.publish(scrape("aldi:S004", 20, {f"{k:06d}": 78 for k in range(40)}))
        await live.caught_up()
    assert (await compared(live)).equal
    assert await live.ask("SELECT count(*) FROM ingest_g2.price_history WHERE price IN (77, 78)") > 20


FIRST = "SELECT store_id, listing_id, seq FROM price_history WHERE store_id = $1 ORDER BY seq, listing_id LIMIT 1"
TAMPERED = {
    "history": f"UPDATE price_history SET price = price {{}} WHERE (store_id, listing_id, seq) = ({FIRST})",
    "heads": "UPDATE store_heads SET next_seq = next_seq {} WHERE store_id = $1",
    "scrapes": "UPDATE scrapes SET updated = updated {} WHERE seq = 2 AND store_id = $1",
    "stores": "UPDATE stores SET lat = lat {} WHERE store_id = $1",
    "served": "UPDATE latest_prices SET price = price {} WHERE price IS NOT NULL",
    "listings": "UPDATE listings SET described_on = described_on {} WHERE listing_id = 3",
    "read barcodes": "UPDATE read_barcodes SET seen_at = seen_at {} * interval '1 hour' WHERE sku = '000003'",
    "exceptions": "UPDATE group_exceptions SET prices[1] = prices[1] {} WHERE cardinality(prices) > 2",
    "markers": "UPDATE group_markers SET decided_at = decided_at {} * interval '1 hour' WHERE version = 5",
    "products": "UPDATE products SET sizes = trim_array(sizes || '{{x,x}}'::text[], 2 - 2 * (0 {}))",
}


async def test_what_is_not_the_same_is_found_and_explained(live):
    await live.run()
    connection = await asyncpg.connect(live.dsn, server_settings={"search_path": "ingest_g1, public"})
    store = await connection.fetchval("SELECT store_id FROM stores WHERE store = 'aldi:S002'")
    try:
        for part, statement in TAMPERED.items():
            arguments = (store,) if "$1" in statement else ()
            assert await connection.execute(statement.format("+ 1"), *arguments) != "UPDATE 0", part
            found = await compared(live)
            assert {place.part.split()[0] for place, _ in found.differing} >= {part.split()[0]}, part
            assert await connection.execute(statement.format("- 1"), *arguments) != "UPDATE 0"
        assert (await compared(live)).equal
        await connection.execute(TAMPERED["history"].format("+ 1"), store)
        _, number, seq = await connection.fetchrow(FIRST, store)
        sku = await connection.fetchval("SELECT sku FROM listings WHERE listing_id = $1", number)
    finally:
        await connection.close()
    code, lines, _ = await live.verb("replay", "compare")
    assert code == 1
    assert lines[-1]["equal"] is False
    differing = [(one["part"], one["store"], one["rows"]) for one in lines[-1]["differing"]]
    assert ("history", "aldi:S002", 1) in differing
    (row,) = (row for row in lines[-1]["rows"] if row["part"] == "history")
    assert (row["sku"], row["seq"], row["live"]["price"]) == (sku, seq, row["made"]["price"] + 1)
    assert row["live_scrape"] == row["made_scrape"]
    assert row["live_scrape"]["started_at"].startswith("2026-09-01")
    assert (row["said"]["topic"], row["said"]["event"]) == ("product-observed", "products-observed")
    assert row["said"]["price"] == row["made"]["price"], "the log says which of the two is right"
    shown = await live.starts(
        "events", "show", f"product-observed/{row['said']['partition']}/{row['said']['offset']}"
    )
    assert sku.encode() in (await shown.communicate())[0]
    process = await live.starts("replay", "compare")
    text = (await process.communicate())[0].decode()
    where = f"product-observed/{row['said']['partition']}/{row['said']['offset']} (products-observed)"
    assert f"in the log: {where} says price {row['made']['price']}" in text
    code, lines, _ = await live.verb("replay", "status")
    assert [(line["generation"], line["state"], line["equal"], line["differing"]) for line in lines] == [
        (1, "live", None, None),
        (2, "built", False, len(differing)),
    ]


async def test_exactly_what_has_a_dead_letter_is_skipped(live):
    # A message that could be read has a dead letter, and one that cannot be read has none.
    observed = read_topic(live.broker, PRODUCT_OBSERVED.on_broker(live.prefix), 12)
    victim = next(raw for raw in observed if raw.key == b"coles:C1" and raw.value and b'"listings"' in raw.value)
    await live.send_letter(victim)
    await live.publish([spoilt(scrape("aldi:S006", 30, {})[0])])
    await live.pass_over_all()
    done = await live.run()
    assert done.skipped == 3
    assert len(done.refused_now) == 1
    assert "undecodable" in done.refused_now[0]
    found = await compared(live)
    assert not found.equal
    assert {place.store for place, _ in found.differing if place.part == "history"} == {"coles:C1"}
    assert len(found.refused_now) == 1
    with pytest.raises(RefusedError, match="1 messages fail now"):
        await live.swap()


@pytest.mark.parametrize(
    "selection",
    [
        Selection("aldi"),
        Selection(None, None, START.replace(day=4)),
        Selection(None, START.replace(day=3), None),
        Selection("aldi", START.replace(day=2), START.replace(day=5)),
    ],
    ids=str,
)
async def test_a_part_of_the_log_is_compared_and_never_swapped(live, selection):
    await live.run(selection=selection)
    found = await compared(live)
    assert found.equal, [str(row) for row in found.rows]
    assert await live.ask("SELECT count(*) FROM ingest_g2.price_history") > 0
    whole = await live.ask("SELECT count(*) FROM ingest_g1.price_history")
    assert await live.ask("SELECT count(*) FROM ingest_g2.price_history") < whole
    with pytest.raises(RefusedError, match="never be live"):
        await live.swap()
    # And what is not the same is found here too.
    await live.ask(
        "UPDATE ingest_g1.price_history SET price = price + 1 WHERE price IS NOT NULL AND at >= $1 AND at < $2",
        START.replace(day=3),
        START.replace(day=4),
    )
    found = await compared(live)
    assert not found.equal
    prices = [row for row in found.rows if row.place.part in {"history", "prices seen"}]
    assert prices
    assert all(row.live["price"] == row.made["price"] + 1 for row in prices)


async def test_what_the_live_one_knows_ahead_is_no_difference(live):
    await live.run()
    said = scrape("aldi:S002", 40, {f"{k:06d}": 5 for k in range(100)}, names={"000001": "Another"})
    await live.publish(said)
    await live.prepare_only(said)
    found = await compared(live)
    assert found.equal, [str(row) for row in found.rows]
    assert found.ahead >= 40
    await live.ask("UPDATE ingest_g1.listings SET content_hash = 5 WHERE sku = '000002' AND company = 'aldi'")
    found = await compared(live)
    assert [(place.part, rows) for place, rows in found.differing] == [("listings", 1)]


async def test_the_verbs(live):
    code, lines, err = await live.verb("replay", "plan")
    assert code == 0, err
    plan = lines[-1]
    assert plan["possible"]
    assert (plan["dead_letters"]["product-observed"], plan["rate_measured"]) == (2, False)
    code, lines, err = await live.verb("replay", "run", "--workers", "2")
    assert code == 0, err
    assert (lines[-1]["generation"], lines[-1]["state"], lines[-1]["messages"]) == (2, "built", plan["messages"])
    for verb in ("plan", "status", "compare"):
        process = await live.starts("replay", verb)
        out, err = await process.communicate()
        assert (process.returncode, bool(out)) == (0, True), err
    code, lines, _ = await live.verb("replay", "abandon", "1")
    assert (code, "is live" in lines[-1]["error"]) == (2, True)
    code, lines, _ = await live.verb("replay", "abandon", "2")
    assert (code, lines[-1]["abandoned"]) == (0, 2)


async def test_what_is_abandoned_is_gone_and_its_number_used(live):
    await live.run(selection=Selection("coles"))
    await live.ask("CREATE VIEW read.mine AS SELECT * FROM ingest_g2.stores")
    with pytest.raises(RefusedError, match=r"read.mine read generation 2"):
        await abandon(live.given, 2)
    await live.ask("DROP VIEW read.mine")
    assert await abandon(live.given, 2) > 0
    assert await live.ask("SELECT to_regnamespace('ingest_g2')") is None
    with pytest.raises(RefusedError, match="there is no generation 2"):
        await abandon(live.given, 2)
    with pytest.raises(RefusedError, match="is live"):
        await abandon(live.given, 1)
    assert (await live.run(selection=Selection("coles"))).generation.number == 3
