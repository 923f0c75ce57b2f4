"""The pure parts of a replay: what is selected, what differs and how it is said, what a partition's problem is."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from splitcart_common import events
from splitcart_common.clock import ScaledClock
from splitcart_common.envelope import Envelope
from splitcart_common.lanes import Message
from splitcart_common.topics import CATALOGUE, PRODUCT_OBSERVED, STORE_GROUPS, STORES
from splitcart_ingest.replay.ahead import Said, is_ahead
from splitcart_ingest.replay.digest import Part, Place, differing, together
from splitcart_ingest.replay.explain import compare_rows
from splitcart_ingest.replay.log import Part as LogPart
from splitcart_ingest.replay.selection import ALL, Selection
from splitcart_ingest.replay.stretch import Recorded
from splitcart_ingest.replay.workers import Errand
from splitcart_ingest.settings import IngestSettings

AT = datetime(2026, 9, 1, tzinfo=UTC)


def message(event, at=AT):
    envelope = Envelope(UUID(int=1), event.TYPE, event.VERSION, at, UUID(int=1), "tests")
    return Message(envelope, event, "aldi:G1", 0, at)


def started(at):
    return events.ScrapeStarted(
        scrape_id=UUID(int=7), store="aldi:G1", reason="scheduled", started_at=at, planned_categories=(),
        parser_version="1", scope="full",
    )  # fmt: skip


def test_nothing_named_is_all():
    assert ALL.whole
    assert not ALL.ranged
    assert str(ALL) == "all of the log"
    chosen = Selection("aldi", AT, AT + timedelta(days=1))
    assert str(chosen) == "aldi from 2026-09-01 00:00 to 2026-09-02 00:00"
    assert not chosen.whole


@pytest.mark.parametrize(
    ("topic", "key", "wanted"),
    [
        (PRODUCT_OBSERVED, b"aldi:G1", True),
        (PRODUCT_OBSERVED, b"coles:1", False),
        (PRODUCT_OBSERVED, b"\xff", False),
        (PRODUCT_OBSERVED, None, False),
        (STORE_GROUPS, b"aldi", True),
        (STORE_GROUPS, b"coles", False),
        (CATALOGUE, b"-", True),
    ],
)
def test_a_company_is_told_by_the_key(topic, key, wanted):
    assert Selection("aldi").names_key(topic, key) is wanted
    assert ALL.names_key(topic, key)


@given(began=st.integers(-3, 3), first=st.integers(-3, 3) | st.none(), last=st.integers(-3, 3) | st.none())
def test_a_scrape_is_in_the_time_it_began_in(began, first, last):
    first_at, last_at = (None if n is None else AT + timedelta(days=n) for n in (first, last))
    selection = Selection(None, first_at, last_at)
    inside = (first is None or began >= first) and (last is None or began < last)
    assert selection.takes(PRODUCT_OBSERVED, message(started(AT + timedelta(days=began)))) is inside
    # What is not of a scrape counts from the beginning on.
    closed = events.StoreClosed(store="aldi:G1", reason="gone", at=AT)
    at = AT + timedelta(days=began)
    assert selection.takes(STORES, message(closed, at)) is (last is None or began < last)


def row(sku, seq, price):
    return {"company": "aldi", "store": "aldi:G1", "sku": sku, "seq": seq, "price": price, "special": 0}


HISTORY = Part("history", "", 2)
PLACE = Place("aldi", "aldi:G1", "history")


def test_rows_that_differ_are_told_by_their_key_and_what_differs():
    live = [row("1", 1, 100), row("2", 1, 200), row("3", 1, 300)]
    made = [row("1", 1, 100), row("2", 1, 201), row("4", 1, 400)]
    second, third, fourth = compare_rows(HISTORY, PLACE, live, made)
    assert (second.key, second.columns()) == ({"sku": "2", "seq": 1}, ["price"])
    assert second.as_json()["live"] == {"price": 200}
    assert str(second) == "history aldi:G1 sku 2 seq 1: live says price 200, made says price 201"
    assert (third.made, fourth.live) == (None, None)
    assert "made has no such row" in str(third)


prices = st.dictionaries(st.tuples(st.sampled_from("abc"), st.integers(1, 3)), st.integers(1, 3) | st.none())


@given(live=prices, made=prices)
def test_exactly_the_rows_that_differ_are_found(live, made):
    def rows(of):
        return [row(sku, seq, price) for (sku, seq), price in of.items()]

    found = compare_rows(HISTORY, PLACE, rows(live), rows(made))
    keys = [(one.key["sku"], one.key["seq"]) for one in found]
    nothing = object()
    assert keys == sorted(
        key for key in live.keys() | made.keys() if live.get(key, nothing) != made.get(key, nothing)
    )


def test_digests_that_differ():
    one, other = Place("aldi", "aldi:G1", "history"), Place("aldi", "aldi:G2", "history")
    live, made = {one: (2, 5), other: (1, 7)}, {one: (2, 5)}
    assert differing(live, live) == []
    assert differing(live, made) == [other]
    assert together(live).keys() == {"aldi"}
    assert together(live) != together(made)
    assert together(live) == together(dict(reversed(live.items())))


def listing(hash_, barcode=None, product=1):
    return {
        "company": "aldi", "store": None, "sku": "1", "described_on": date(2026, 9, 1), "content_hash": hash_,
        "read_barcode": barcode, "product_id": product,
    }  # fmt: skip


SKU = ("aldi", "1")
SAID = Said(descriptions={(SKU, date(2026, 9, 1), 5)}, barcodes={(SKU, AT, "123")}, read={(SKU, "123")})


@pytest.mark.parametrize(
    ("live", "made", "ahead"),
    [
        (listing(5), listing(4), True),
        (listing(5), None, True),
        (listing(4, "123"), listing(4), True),
        (listing(5, "123"), listing(4), True),
        (listing(6), listing(4), False),
        (listing(5, "124"), listing(4), False),
        (listing(4, product=2), listing(4), False),
        (None, listing(4), False),
        (listing(4), None, False),
    ],
)
def test_only_what_messages_account_for_is_ahead(live, made, ahead):
    part, place = Part("listings", "", 1), Place("aldi", "", "listings")
    (found,) = compare_rows(part, place, [live] if live else [], [made] if made else [])
    assert is_ahead(found, SAID) is ahead


@pytest.mark.parametrize(
    ("start", "end", "live", "problem"),
    [
        (0, 9, 9, None),
        (0, 9, 5, None),
        (0, 0, 0, None),
        (3, 9, 0, None),
        (3, 9, 9, "begins at 3"),
        (0, 4, 9, "lost"),
    ],
)
def test_a_partition_that_cannot_be_folded_anew_says_why(start, end, live, problem):
    part = LogPart(PRODUCT_OBSERVED, TopicPartition("x", 0), start, end, live)
    assert part.until == live
    said = part.problem()
    assert (said is None) if problem is None else (problem in said)


def test_of_what_ingest_says_itself_all_that_is_in_the_log_is_folded():
    part = LogPart(CATALOGUE, TopicPartition("x", 0), 0, 9, 5)
    assert (part.own, part.until) == (True, 9)


def test_what_was_judged_when_it_came_is_not_judged_again():
    clock = Recorded()
    assert clock.virtual_at(AT) > AT + timedelta(days=365 * 1000)
    assert clock.now() == clock.virtual_at(AT)
    assert clock.wall() > AT


def test_a_worker_is_told_everything():
    settings = IngestSettings(
        clock=ScaledClock(AT, AT, 60.0), postgres_dsn="postgresql://x", ingest_schema="ingest_g7"
    )
    errand = Errand(settings.model_dump(mode="json"), Selection("aldi", AT, None))
    told = msgspec.json.decode(msgspec.json.encode(errand), type=Errand)
    assert told.selection == errand.selection
    assert IngestSettings.model_validate(told.settings) == settings
