"""Which part of the log is read, and what of it is wanted."""

from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect as mi

from splitcart_cli.log.choosing import Wish, choose, moment, skus_of, stores_of, stream_named
from splitcart_cli.log.seeing import as_line, in_short, printable, see
from splitcart_cli.log.streams import EVENTS, STREAMS
from splitcart_cli.shell import CommandError
from splitcart_common.clock import ScaledClock, earliest_wall
from splitcart_common.topics import ALL, EVENT_TYPES
from tests.golden import GOLDEN

NOW = datetime(2026, 9, 8, 12, tzinfo=UTC)


def test_every_topic_and_every_dead_letter_topic_is_a_stream():
    assert [stream.topic for stream in EVENTS] == list(ALL)
    names = {stream.on_broker("p") for stream in STREAMS.values()}
    assert names == {t.on_broker("p") for t in ALL} | {
        t.dead_letter_topic("p", service) for t in ALL if t.dead_letters for service in t.consumers
    }


@pytest.mark.parametrize("name", ["product-observed.ingest.dlq", "p.product-observed.v1.ingest.dlq"])
def test_a_stream_is_named_shortly_or_as_on_the_broker(name):
    assert stream_named(name, "p") == STREAMS["product-observed.ingest.dlq"]


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-09-01", datetime(2026, 9, 1, tzinfo=UTC)),
        ("2026-09-01T08:00", datetime(2026, 9, 1, 8, tzinfo=UTC)),
        ("2026-09-01T08:00+10:00", datetime(2026, 8, 31, 22, tzinfo=UTC)),
        ("90m", NOW - timedelta(minutes=90)),
        ("2h", NOW - timedelta(hours=2)),
        ("3d", NOW - timedelta(days=3)),
    ],
)
def test_times(text, at):
    assert moment(text, NOW) == at


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "5", "9999999d", "9" * 30 + "d", "2h ago"])
def test_what_is_no_time_is_said_with_what_is(text):
    with pytest.raises(CommandError) as caught:
        moment(text, NOW)
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Wish(topics=("product-observd",)), "there is no topic 'product-observd': there are product-observed, "),
        (Wish(partition=3), "--partition and --from-offset mean one --topic"),
        (Wish(from_offset=3, topics=("stores", "requests")), "mean one --topic"),
        (Wish(types=("store-guessed",)), "there is no event 'store-guessed': there are "),
        (Wish(store="G452"), "'G452' is not a store key"),
        (Wish(scrape="123"), "badly formed hexadecimal UUID string"),
        (Wish(until="then"), "'then' is no time"),
    ],
)
def test_a_wrong_option_is_named(wish, said):
    with pytest.raises(CommandError, match=said) as caught:
        choose(wish, "p", NOW)
    assert caught.value.code == 2


CLOCKS = st.builds(
    ScaledClock,
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - it adds it
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from([0.5, 1.0, 60.0, 14400.0]),
)


@given(
    CLOCKS,
    st.datetimes(datetime(2019, 1, 1), datetime(2031, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.datetimes(datetime(2019, 1, 1), datetime(2031, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_nothing_published_before_the_earliest_wall_moment_is_as_late(clock, virtual, wall):
    """Sound: what is skipped because of its broker's time cannot have occurred since."""
    earliest = earliest_wall(clock, virtual)
    if earliest is not None and wall < earliest - timedelta(milliseconds=1):
        assert clock.virtual_at(wall) < virtual


def record(golden, key: str) -> ConsumerRecord:
    return ConsumerRecord(
        "t", 0, 5, 1_788_000_000_000, 0, key.encode(), golden.value, None, 1, 1, tuple(golden.wire_headers)
    )


def test_a_listing_is_found_in_whatever_event_speaks_of_it():
    """Every event whose golden message has a SKU somewhere is found by it."""
    found = {}
    for golden in GOLDEN:
        event = see(STREAMS[golden.topic.name], record(golden, "k")).event
        if event is not None and skus_of(event):
            found[event.TYPE] = skus_of(event)

    def has_sku(kind: mi.Type) -> bool:
        match kind:
            case mi.StructType():
                return any(
                    field.name in {"sku", "skus", "refused_skus"} or has_sku(field.type) for field in kind.fields
                )
            case mi.VarTupleType():
                return has_sku(kind.item_type)
            case mi.UnionType():
                return any(map(has_sku, kind.types))
            case mi.Metadata():
                return has_sku(kind.type)
        return False

    speak = {name for name, event in EVENT_TYPES.items() if has_sku(mi.type_info(event))}
    assert found.keys() >= speak


def test_a_store_is_found_in_whatever_event_speaks_of_it():
    for golden in GOLDEN:
        event = see(STREAMS[golden.topic.name], record(golden, "k")).event
        named = {
            value for field in event.__struct_fields__ if isinstance(value := getattr(event, field), str)
            and value.startswith(("aldi:", "coles:"))
        }  # fmt: skip
        assert named <= stores_of(event), event.TYPE


def test_what_is_asked_for_is_what_is_kept():
    golden = next(g for g in GOLDEN if g.headers["event-type"] == "products-observed")
    seen = see(STREAMS["product-observed"], record(golden, "aldi:G452"))
    (sku, *_) = skus_of(seen.event)
    at = seen.envelope.occurred_at

    def kept(**wish: object) -> bool:
        choice = choose(Wish(**wish), "p", NOW)
        return choice.may_be(seen.record) and choice.wants(seen)

    assert kept()
    assert kept(store="aldi:G452", company="aldi", sku=sku, types=("scrape-started", "products-observed"))
    assert kept(since=at.isoformat(), until=(at + timedelta(seconds=1)).isoformat())
    assert kept(scrape=str(seen.envelope.correlation_id))
    assert kept(scrape=str(seen.event.scrape_id))
    assert not kept(store="aldi:G45")
    assert not kept(company="coles")
    assert not kept(sku=sku[:-1])
    assert not kept(types=("scrape-started",))
    assert not kept(since=(at + timedelta(seconds=1)).isoformat())
    assert not kept(until=at.isoformat())
    assert not kept(scrape="00000000-0000-0000-0000-000000000000")


def test_a_hostile_text_is_shown_and_not_obeyed():
    assert printable("\x1b[2J\r\n\u202ex") == "\\x1b[2J\\r\\n\\u202ex"
    assert printable("a\nb", lines=True) == "a\nb"
    golden = next(g for g in GOLDEN if g.headers["event-type"] == "store-closed")
    hostile = record(golden, "\x1b]0;title\x07")
    assert "\x1b" not in as_line(see(STREAMS["stores"], hostile)).plain


def test_an_event_in_short():
    golden = next(g for g in GOLDEN if g.headers["event-type"] == "products-observed")
    event = see(STREAMS["product-observed"], record(golden, "k")).event
    assert in_short(event).startswith(f"scrape_id={str(event.scrape_id)[:18]} batch={event.batch} listings=[")
