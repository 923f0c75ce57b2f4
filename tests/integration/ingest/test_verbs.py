"""The verbs of ingest, as an operator runs them."""

import asyncio
import json
import os
import sys
from datetime import timedelta

import pytest

from splitcart_sandbox.database import service_dsn
from tests.support.ingest import START, confirmed, visit

M, A = "aldi:M", "aldi:A"


async def splitcart(database, *words, role="ingest", **more):
    """The command in a process of its own: exit code, lines of JSON or text, errors."""
    env = {**os.environ, "SPLITCART_POSTGRES_DSN": service_dsn(database, role), **more}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "splitcart_cli", *words,
        env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@pytest.fixture
async def member(hand):
    await hand.observe(*visit(M, 1, {"01": 100, "02": 200}), *visit(A, 1, {"01": 100, "02": 210, "03": 300}))
    await hand.group(("aldi", confirmed(1, M, A, up_to=1, anchor_at=1, exceptions={"02": 200})))


@pytest.mark.usefixtures("member")
async def test_stored_and_served_prices_are_told_apart(database):
    async def count(*words):
        code, out, err = await splitcart(
            database, "count", "prices", "--json", "--at", "2026-09-03", *words, role="gateway"
        )
        assert code == 0, err
        return [json.loads(line) for line in out.splitlines()]

    assert [(row["stores"], row["stored"], row["served"]) for row in await count()] == [(2, 5, 6)]
    code, out, err = await splitcart(database, "ingest", "tidy", "--json")
    assert (code, json.loads(out)) == (0, {"looked_at": 1, "stores": 1, "rows": 2}), err
    assert [(row["stores"], row["stored"], row["served"]) for row in await count()] == [(2, 3, 6)]
    rows = {row["store"]: (row["stored"], row["served"]) for row in await count("--per-store")}
    assert rows == {M: (0, 3), A: (3, 3)}


async def test_a_past_moment_is_counted_as_of_it(database, hand):
    await hand.observe(*visit(M, 1, {"01": 100, "02": 200}), *visit(A, 2, {"01": 100, "02": 210, "03": 300}))
    await hand.observe(*visit(M, 5, {"01": 100}), *visit(M, 6, {"01": 100}), *visit(M, 7, {"01": 100}))
    await hand.group(("aldi", confirmed(1, M, A, up_to=6, anchor_at=2, at=START + timedelta(days=6, hours=1))))

    async def count(at):
        code, out, err = await splitcart(database, "count", "prices", "--json", "--at", at, role="gateway")
        assert code == 0, err
        return [(row["stores"], row["stored"], row["served"]) for row in map(json.loads, out.splitlines())]

    assert await count("2026-09-01") == [(2, 0, 0)]
    assert await count("2026-09-02T12:00:00") == [(2, 2, 2)], "the second store was not scraped yet"
    assert await count("2026-09-03T12:00:00") == [(2, 5, 5)]
    assert await count("2026-09-07T12:00:00") == [(2, 5, 6)], "a member by then"
    assert await count("2026-09-08T12:00:00") == [(2, 4, 4)], (
        "its range had shrunk for the third time, so it stands"
    )


@pytest.mark.usefixtures("member")
async def test_as_text(database):
    code, out, _ = await splitcart(database, "count", "prices", "--at", "2026-09-03T00:00:00")
    assert code == 0
    assert "stored" in out
    assert "served" in out
    code, out, _ = await splitcart(database, "ingest", "tidy")
    assert (code, out) == (0, "2 rows of 1 stores dropped, 1 stores looked at\n")


@pytest.mark.parametrize("words", [("count", "prices"), ("ingest", "tidy")], ids=str)
async def test_what_cannot_be_reached_is_said(words):
    code, _, err = await splitcart("postgresql://127.0.0.1:1/splitcart", *words)
    assert code == 1
    assert "cannot" in err


async def test_a_wrong_setting_is_said(database):
    code, _, err = await splitcart(database, "count", "prices", SPLITCART_TURNS="someday")
    assert code == 2
    assert "is no turn" in err
