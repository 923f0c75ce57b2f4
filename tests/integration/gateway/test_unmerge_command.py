"""`splitcart unmerge`: an operator's word goes on record, and identity heeds it."""

import asyncio
import json
import os
import sys
from uuid import UUID

import pytest

from splitcart_common import events
from splitcart_common.kafka import ensure_topics
from splitcart_common.topics import ALL, REQUESTS
from splitcart_ingest.domain.identity import own_product_id
from splitcart_sandbox.database import service_dsn
from tests.support.bus import publish, read_events
from tests.support.identity import described, products_of, recorded
from tests.support.ingest import caught_up, environment, running, settings
from tests.support.scraper.tiny_coles import code_of

MILK = "Farmdale Full Cream Milk"
SHAPES = {"brand": "Farmdale", "size": "2l", "barcode": code_of(5)}
LISTINGS = [("aldi", "01"), ("coles", "02"), ("iga", "03")]
ALONE = ("aldi", "99")


@pytest.fixture
async def given(database, broker, topic_prefix):
    """Three listings that are one product, and one that is alone; ingest is not running any more."""
    await ensure_topics(broker, topic_prefix, ALL)
    given = settings(database, broker, topic_prefix)
    said = [described(*listing, MILK, **SHAPES) for listing in LISTINGS]
    async with running(given):
        await publish(broker, topic_prefix, [*said, described(*ALONE, "Bushells Black Tea Bags")])
        await caught_up(database, broker, topic_prefix)
    return given


async def unmerge(given, *words, **env):
    """The command in a process of its own, as the gateway's role: exit code and its one JSON object."""
    dsn = service_dsn(given.postgres_dsn, "gateway")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "splitcart_cli", "unmerge", *words, "--reason", "another thing", "--json",
        env={**os.environ, **environment(given), "SPLITCART_POSTGRES_DSN": dsn, **env},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await process.communicate()
    (line,) = out.decode().splitlines()
    return process.returncode, json.loads(line)


async def test_a_listing_is_parted_and_all_of_it_is_on_record(database, broker, topic_prefix, given):
    (product,) = set(await products_of(database, *LISTINGS))
    async with running(given):
        code, said = await unmerge(given, "coles", "02", "--product", str(product), "--by", "erin")
        await caught_up(database, broker, topic_prefix)
    parted = await products_of(database, *LISTINGS)
    assert (code, said["parted"], said["now_product_id"]) == (0, True, str(parted[1]))
    assert parted[0] == parted[2] == product != parted[1]
    ((key, envelope, asked),) = read_events(broker, topic_prefix, REQUESTS)
    assert (key, envelope.producer, str(envelope.event_id)) == ("coles/02", "gateway", said["request_id"])
    assert asked == events.UnmergeRequested("coles/02", "erin", "another thing", product)
    assert envelope.occurred_at >= given.clock.start
    caused = [event for e, event in recorded(broker, topic_prefix) if e.causation_id == envelope.event_id]
    assert caused[0] == events.ListingUnlinked("coles", "02", product, "erin", barred=True, reason="another thing")


async def test_what_is_asked_while_nobody_decides_is_heeded_later(database, broker, topic_prefix, given):
    code, said = await unmerge(given, "coles", "02", "--wait", "0")
    assert (code, said["parted"], said["now_product_id"]) == (1, False, None)
    before = await products_of(database, *LISTINGS)
    assert len(set(before)) == 1
    async with running(given):
        await caught_up(database, broker, topic_prefix)
    after = await products_of(database, *LISTINGS)
    assert after[1] not in before
    # Asked again, it is alone: nothing is said.
    code, said = await unmerge(given, "coles", "02")
    assert (code, "nothing to part it from" in said["error"]) == (2, True)
    assert len(read_events(broker, topic_prefix, REQUESTS)) == 1


async def test_what_makes_no_sense_is_refused_and_nobody_is_asked(database, broker, topic_prefix, given):
    gone, deaf = (
        {"SPLITCART_POSTGRES_DSN": "postgresql://127.0.0.1:1/x"},
        {"SPLITCART_KAFKA_BOOTSTRAP": "127.0.0.1:1"},
    )
    milk = LISTINGS[0]
    said = [
        (("coles", "77"), {}, 2, "there is no listing coles 77"),
        (ALONE, {}, 2, f"all there is of product {own_product_id(*ALONE)}"),
        ((*milk, "--product", str(UUID(int=1))), {}, 2, f"and not {UUID(int=1)}"),
        ((*milk, "--by", "e" * 5000), {}, 2, "by"),
        (milk, gone, 1, "the database cannot be read"),
        (milk, deaf, 1, "no broker took it at 127.0.0.1:1"),
        (milk, {"SPLITCART_CLOCK": "noon"}, 2, "a setting is wrong"),
        ((*milk, "--dev"), {"SPLITCART_HOME": "/nonexistent"}, 2, "start one with `splitcart up`"),
    ]
    answers = await asyncio.gather(*(unmerge(given, *words, **env) for words, env, _, _ in said))
    for (found, answer), (_, _, code, why) in zip(answers, said, strict=True):
        assert (found, why in answer["error"]) == (code, True), answer
    assert read_events(broker, topic_prefix, REQUESTS) == []
    assert len(set(await products_of(database, *LISTINGS))) == 1
