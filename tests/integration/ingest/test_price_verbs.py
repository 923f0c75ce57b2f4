"""`splitcart price`, `history`, `explain price` and `count scrapes`, as an operator runs them on real parts."""

import asyncio
import json
import os
import sys
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from splitcart_common import ids
from splitcart_common.kafka import ensure_topics
from splitcart_common.topics import ALL, PRODUCT_OBSERVED
from splitcart_common.turns import Turns
from splitcart_ingest.commands import asking, explaining
from splitcart_ingest.commands.asking import Question
from splitcart_ingest.replay.errors import RefusedError
from tests.support.bus import publish, read_topic, say
from tests.support.ingest import (
    START,
    caught_up,
    confirmed,
    ejected,
    environment,
    running,
    scrape,
    scrape_of,
    settings,
    visit,
)

M, A = "aldi:M", "aldi:A"
LATER = "2026-09-20"


def decided(event):
    ident = UUID(int=event.version)
    return say("aldi", event, event_id=ident, correlation_id=ident, at=event.at)


@pytest.fixture
async def given(database, broker, topic_prefix):
    """M was found equal to A but for 02; A's 01 changed since, and one scrape of A saw too little."""
    await ensure_topics(broker, topic_prefix, ALL)
    given = settings(database, broker, topic_prefix)
    said = [
        *scrape(M, 1, {"01": 100, "02": 200, "03": 300}),
        *scrape(A, 1, {"01": 100, "02": 210, "03": 300, "04": 400}),
        *scrape(A, 3, {"01": 110, "02": 210, "03": 300, "04": 400}),
        *scrape(A, 4, {"01": 110}),
        *scrape(M, 15, {"01": 110, "02": 200}),
        decided(confirmed(1, M, A, up_to=1, anchor_at=1, exceptions={"02": 200})),
        decided(ejected(2, M, START + timedelta(days=16))),
    ]
    async with running(given):
        await publish(broker, topic_prefix, said)
        await caught_up(database, broker, topic_prefix)
    return given


async def splitcart(given, *words, **more):
    """The command in a process of its own: exit code, what it says, errors."""
    env = {**os.environ, **environment(given), "SPLITCART_TURNS": "tue 14:00", "COLUMNS": "200", **more}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "splitcart_cli", *words, env=env,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def asked(given, *words, **more):
    """Its one JSON object."""
    code, out, err = await splitcart(given, *words, "--json", **more)
    assert code == 0, (out, err)
    (line,) = out.splitlines()
    return json.loads(line)


def question(sku, at):
    return Question(M, sku, None, datetime.fromisoformat(at))


def as_asked(given):
    return given.model_copy(update={"turns": Turns.parse("tue 14:00")})


async def test_a_price_is_told_as_of_any_moment(given):
    async def of(sku, at):
        found = await asking.told(as_asked(given), question(sku, at))
        return found["price"], found.get("source")

    assert await of("01", "2026-09-02T12:00:00") == (100, "anchor")
    assert await of("01", "2026-09-04T12:00:00") == (110, "anchor")
    assert await of("02", "2026-09-04T12:00:00") == (200, "exception")
    assert await of("02", LATER) == (200, "own")
    assert await of("04", "2026-09-01") == (None, None)
    words = ("price", "--store", M, "--sku", "01", "--at", "2026-09-04T12:00:00")
    code, out, _ = await splitcart(given, *words)
    assert (code, "$1.10, the price of its anchor aldi:A" in out) == (0, True)
    assert (await asked(given, *words))["seen_at"] == "2026-09-04T00:00:00+00:00"


async def test_a_history_goes_through_the_groups(given):
    found = await asked(
        given, "history", "--store", M, "--sku", "02", "--from", "2026-09-01T12:00:00", "--to", LATER
    )
    served = [(row["since"][:10], row["price"], row["source"], row["anchor"]) for row in found["served"]]
    assert served == [
        ("2026-09-01", None, None, None),
        ("2026-09-02", 200, "own", M),
        ("2026-09-02", 200, "exception", A),
        ("2026-09-09", 210, "anchor", A),
        ("2026-09-16", 200, "own", A),
        ("2026-09-17", 200, "own", M),
    ]
    assert [(row["anchor"], row["version"], row["exceptions"]) for row in found["groups"]] == [
        (A, 1, 1),
        (M, 2, 0),
    ]
    (own,) = found["own"]
    assert (own["price"], own["since"][:10], own["last_seen"][:10], own["until"]) == (
        200,
        "2026-09-02",
        "2026-09-16",
        None,
    )
    code, out, _ = await splitcart(given, "history", "--store", M, "--sku", "02", "--to", LATER)
    assert code == 0
    assert "stood for by" in out
    at = datetime.fromisoformat(LATER)
    with pytest.raises(RefusedError, match="is not before"):
        await asking.past(given, Question(M, "02", None, at), at)


async def test_a_price_is_explained_down_to_its_page(given, broker, topic_prefix):
    found = await asked(given, "explain", "price", "--store", M, "--sku", "01", "--at", "2026-09-06")
    assert (found["branch"], found["served"]["price"], found["served"]["store"]) == ("d", 110, A)
    assert [one["branch"] for one in found["passed_over"]] == ["a", "b", "c"]
    assert found["log"] == "read"
    changed, seen = found["scrapes"]
    assert (changed["scrape_id"], seen["scrape_id"]) == (str(scrape_of(A, 3)), str(scrape_of(A, 4)))
    assert (changed["seq"], changed["batch"], changed["seen"]["price"]) == (2, 1, 110)
    assert (seen["outcome"], seen["seen"]["price"]) == ("partial", 110)
    place = changed["page_event"]
    assert place["event_id"] == str(ids.batch_id(scrape_of(A, 3), 1))
    stood = read_topic(broker, PRODUCT_OBSERVED.on_broker(topic_prefix), PRODUCT_OBSERVED.partitions)
    (raw,) = [raw for raw in stood if (raw.partition, raw.offset) == (place["partition"], place["offset"])]
    assert ("event-id", place["event_id"].encode()) in raw.headers
    group = found["group"]
    assert (group["version"], group["anchor"]) == (1, A)
    assert group["evidence"] == {"shared": 500, "equal": 500, "rule_version": "1", "exceptions": 1}
    assert group["event"]["topic"] == "store-groups"
    for sku, at, branch, price, scrapes in (
        ("02", "2026-09-06", "c", 200, [scrape_of(M, 1)]),
        ("02", LATER, "a", 200, [scrape_of(M, 1), scrape_of(M, 15)]),
        ("03", LATER, "b", None, [scrape_of(M, 1)]),
    ):
        found = await explaining.explained(as_asked(given), question(sku, at), None)
        assert (found["branch"], found["served"] and found["served"]["price"]) == (branch, price)
        assert [one["scrape_id"] for one in found["scrapes"]] == scrapes
        assert found["served"] is None or (await asking.told(as_asked(given), question(sku, at)))["price"] == price
    code, out, err = await splitcart(given, "explain", "price", "--store", M, "--sku", "01", "--at", "2026-09-06")
    assert code == 0, err
    for words in (
        "rule 8d: its anchor's record",
        "not 8a:",
        "product-observed/",
        "$1.10",
        "version 1",
        "shared: 500",
    ):
        assert words in out


async def test_without_a_log_the_rest_is_shown(given):
    lost = as_asked(given).model_copy(update={"kafka_bootstrap": "127.0.0.1:1"})
    found = await explaining.explained(lost, question("01", "2026-09-06"), lambda *_: None)
    assert "127.0.0.1:1 cannot be read" in found["log"]
    assert found["served"]["price"] == 110
    assert found["scrapes"][0]["scrape_id"] == scrape_of(A, 3)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (Question("aldi:nobody", "01", None, None), "there is no store aldi:nobody"),
        (Question("nobody", "01", None, None), "is not a store key"),
        (Question(M, "99", None, None), "aldi has no SKU 99"),
        (Question(M, None, UUID(int=5), None), "aldi has no listing of product"),
        (Question(M, None, None, None), "either --sku or --product"),
    ],
)
async def test_what_is_not_there_is_said(database, hand, wrong, why):
    await hand.observe(*visit(M, 1, {"01": 100}))
    given = settings(database, "127.0.0.1:1", "none")
    for ask in (
        asking.told(given, wrong),
        asking.past(given, wrong, None),
        explaining.explained(given, wrong, None),
    ):
        with pytest.raises(RefusedError, match=why):
            await ask


async def test_a_product_is_as_good_as_a_sku(database, hand):
    await hand.observe(*visit(M, 1, {"01": 100}))
    given = settings(database, "127.0.0.1:1", "none")
    found = await asking.told(given, question("01", LATER))
    again = await asking.told(given, Question(M, None, found["product_id"], datetime.fromisoformat(LATER)))
    assert (again, again["price"]) == (found, 100)


async def test_an_unknown_store_ends_with_2(database, hand):
    await hand.observe(*visit(M, 1, {"01": 100}))
    given = settings(database, "127.0.0.1:1", "none")
    code, out, _ = await splitcart(given, "price", "--store", "aldi:nobody", "--sku", "1", "--json")
    assert (code, "there is no store aldi:nobody" in json.loads(out)["error"]) == (2, True)


async def test_what_each_scrape_came_to(given):
    dsn = {"SPLITCART_POSTGRES_DSN": given.postgres_dsn}
    code, out, err = await splitcart(given, "count", "scrapes", "--store", A, "--json", **dsn)
    assert code == 0, err
    rows = [json.loads(line) for line in out.splitlines()]
    counts = [
        tuple(row[name] for name in ("outcome", "created", "updated", "unchanged", "withdrawn")) for row in rows
    ]
    assert counts == [("partial", 0, 0, 1, 0), ("full", 0, 1, 3, 0), ("full", 4, 0, 0, 0)]
    code, out, _ = await splitcart(given, "count", "scrapes", "--company", "aldi", FORCE_COLOR="1", **dsn)
    lines = [line for line in out.splitlines() if "partial" in line or "full" in line]
    assert (code, len(lines)) == (0, 5)
    assert all(("\x1b[31m" in line) is ("partial" in line) for line in lines), "what saw too little is red"
