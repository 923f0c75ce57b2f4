"""`splitcart products show|check` and `splitcart replay redecide`, as an operator runs them."""

import asyncio
import json
import os
import sys
from uuid import UUID

import asyncpg
import pytest

from splitcart_common import events
from splitcart_common.kafka import ensure_topics
from splitcart_common.topics import ALL
from splitcart_ingest.identity.redecide import moved
from tests.support.bus import publish, say
from tests.support.identity import described, products_of, recorded, unmerge
from tests.support.ingest import START, caught_up, environment, running, settings
from tests.support.scraper.tiny_coles import code_of

MILK = "Farmdale Full Cream Milk"
SHAPES = {"brand": "Farmdale", "size": "2l", "barcode": code_of(5)}
LISTINGS = [("aldi", "01"), ("coles", "02"), ("iga", "03")]


@pytest.fixture
async def given(database, broker, topic_prefix):
    """Three listings that are one product, one of them parted from it again."""
    await ensure_topics(broker, topic_prefix, ALL)
    given = settings(database, broker, topic_prefix)
    async with running(given):
        await publish(broker, topic_prefix, [described(*listing, MILK, **SHAPES) for listing in LISTINGS])
        await caught_up(database, broker, topic_prefix)
        (product,) = set(await products_of(database, *LISTINGS))
        await publish(broker, topic_prefix, [unmerge("iga", "03", product)])
        await caught_up(database, broker, topic_prefix)
    return given


async def splitcart(given, *words):
    """The command in a process of its own: exit code, what it says, errors."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "splitcart_cli", *words, env={**os.environ, **environment(given)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def asked(given, *words):
    """Its one JSON object."""
    code, out, err = await splitcart(given, *words, "--json")
    assert code == 0, err
    (line,) = out.splitlines()
    return json.loads(line)


async def test_show_says_why_a_listing_is_what_it_is(database, given):
    product, _, _ = await products_of(database, *LISTINGS)
    shown = await asked(given, "products", "show", "coles", "02")
    assert shown["product"]["product_id"] == str(product)
    assert [(row["company"], row["sku"]) for row in shown["listings"]] == LISTINGS[:2]
    assert {row["rule"] for row in shown["listings"]} <= {"barcode", "own-link"}
    assert all(row["evidence"]["barcode"] == SHAPES["barcode"] for row in shown["listings"])
    assert shown["barred"] == [{"company": "iga", "sku": "03"}]
    assert [one["kind"] for one in shown["decisions"]].count("listing-linked") == 3, "one was linked, and parted"
    assert shown["decisions"] == sorted(shown["decisions"], key=lambda one: one["offset"])
    # And an id that was merged into it.
    old = UUID(int=7)
    connection = await asyncpg.connect(database)
    await connection.execute(
        "INSERT INTO ingest_g1.products VALUES ($1, 'coles', 'x', 'Milk', NULL, '{}', $2)", old, product
    )
    await connection.close()
    again = await asked(given, "products", "show", str(old), "--history", "0")
    assert (again["asked"], again["ids"]) == (str(old), [str(product), str(old)])
    assert (again["listings"], again["decisions"]) == (shown["listings"], [])
    code, out, _ = await splitcart(given, "products", "show", str(old), "--history", "3")
    assert code == 0
    for word in (str(product), "was merged into it", MILK, "barcode", "never iga 03", "listing-unlinked"):
        assert word in out


async def test_show_says_what_there_is_not(given):
    said = {
        ("coles", "99"): "there is no listing 99 of coles",
        ("milk",): "is no product id",
        (str(UUID(int=9)),): "no listing is product",
        ("coles", "99", "98"): "a company and a SKU",
    }
    answers = await asyncio.gather(*(splitcart(given, "products", "show", *words) for words in said))
    for (code, _, err), says in zip(answers, said.values(), strict=True):
        assert (code, says in err) == (2, True), err


async def test_check_holds_the_tables_to_their_log(database, broker, topic_prefix, given):
    found = await asked(given, "products", "check")
    assert (found["equal"], found["listings"], found["rows"]) == (True, 3, [])
    assert found["tables"] == found["log"]
    assert found["messages"] == len(recorded(broker, topic_prefix))
    connection = await asyncpg.connect(database)
    await connection.execute("UPDATE ingest_g1.links SET name = 'Something else' WHERE sku = '02'")
    await connection.close()
    code, out, _ = await splitcart(given, "products", "check", "--json")
    found = json.loads(out)
    assert (code, found["equal"], found["differing"]) == (1, False, 2)
    assert [(row["table"], row["in_tables"], row["row"][1]) for row in found["rows"]] == [
        ("links", True, "02"), ("links", False, "02"),
    ]  # fmt: skip
    code, out, _ = await splitcart(given, "products", "check")
    assert code == 1
    assert "only in the tables, links: coles, 02" in out


async def test_redecide_shows_what_the_rules_would_do_and_changes_nothing(database, broker, topic_prefix, given):
    found = await asked(given, "replay", "redecide")
    assert (found["moved"], found["moves"], found["unheeded"]) == (0, [], [])
    assert found["products"] == [2, 2]
    assert all(was == now for was, now in found["decisions"].values())
    # A decision is on record that no rule of this release makes.
    milk, _, apart = await products_of(database, *LISTINGS)
    wrong = events.ListingLinked("coles", "77", milk, "name-key", {"key": "?"}, "0", "Beef Dog Food", None, "3kg")
    word = events.ListingUnlinked("coles", "77", apart, "key-1", barred=True)
    said = [
        say("-", event, event_id=UUID(int=n), correlation_id=UUID(int=n), at=START)
        for n, event in enumerate((wrong, word, wrong))
    ]
    await publish(broker, topic_prefix, said)
    async with running(given):
        await caught_up(database, broker, topic_prefix)
    before = recorded(broker, topic_prefix)
    found = await asked(given, "replay", "redecide")
    (move,) = found["moves"]
    assert (move["listing"], move["was_with"], move["would_be_with"]) == (
        ["coles", "77"], [["aldi", "01"], ["coles", "02"]], [],
    )  # fmt: skip
    assert (found["products"], found["rule_versions"], found["unheeded"]) == (
        [2, 3], sorted({"0", found["rule_version"]}), [["coles", "77"]],
    )  # fmt: skip
    assert found["decisions"]["name-key"] == [2, 0]
    code, out, _ = await splitcart(given, "replay", "redecide")
    assert code == 0
    for words in ("1 of 4 listings would move", "Nothing was changed", "coles 77 (Beef Dog Food): with aldi 01"):
        assert words in out
    assert recorded(broker, topic_prefix) == before
    assert await products_of(database, ("coles", "77")) == [milk]
    assert (await asked(given, "products", "check"))["equal"]


def test_who_moves_is_who_leaves_the_others():
    a, b, c, d = (("aldi", sku) for sku in "1234")
    p, q, r = (UUID(int=n) for n in range(1, 4))
    assert moved({a: p, b: p, c: p}, {a: q, b: q, c: q}) == [], "another id is no move"
    assert moved({a: p, b: p, c: p}, {a: q, b: p, c: p}) == [a]
    assert moved({a: p, b: p, c: p}, {a: p, b: q, c: q}) == [a], "though it was the first"
    assert moved({a: p, b: q}, {a: r, b: r}) == [b]
    assert moved({a: p, b: p, c: q, d: q}, {a: p, b: q, c: q, d: p}) == [b, d]
    assert moved({a: p}, {}) == []


async def test_what_cannot_be_reached_is_said(database, broker, topic_prefix):
    nowhere = settings(database, "127.0.0.1:1", topic_prefix)
    here = settings(database, broker, topic_prefix)
    answers = await asyncio.gather(
        splitcart(nowhere, "replay", "redecide"),
        splitcart(here, "replay", "redecide"),
        splitcart(here, "products", "show", "aldi", "1"),
    )
    words = ("SPLITCART_KAFKA_BOOTSTRAP", "there is no topic", "ingest has not run")
    assert [code for code, _, _ in answers] == [1, 2, 2]
    for (_, _, err), word in zip(answers, words, strict=True):
        assert word in err
