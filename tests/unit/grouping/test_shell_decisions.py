"""Decisions as rows and messages: whom they are about, and ids that are computed."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest

from splitcart_common import events
from splitcart_common.codec import decode
from splitcart_common.envelope import Envelope
from splitcart_common.topics import PRICE_CHANGED, STORE_GROUPS
from splitcart_grouping.decisions import Concerned, concerned, event_id, from_text, to_row, to_text
from splitcart_grouping.gate import shard_of
from tests.golden import GOLDEN, Golden

AT = datetime(2026, 9, 1, tzinfo=UTC)
FORMED = events.GroupFormed(version=7, anchor="aldi:G1", at=AT)
EXAMPLES = [golden for golden in GOLDEN if golden.topic is STORE_GROUPS]


@pytest.mark.parametrize("golden", EXAMPLES, ids=str)
def test_every_decision_comes_back_from_its_row_as_it_was(golden: Golden):
    _, event = golden.decoded()
    assert from_text(event.TYPE, event.VERSION, to_text(event)) == event
    whom = concerned(event)
    named = {value for value in msgspec.to_builtins(event).values() if isinstance(value, str) and ":" in value}
    assert {name for name in (whom.store, whom.anchor, whom.other) if name} <= named


def test_every_kind_of_decision_is_about_someone():
    assert {golden.decoded()[1].TYPE for golden in EXAMPLES} == {event.TYPE for event in STORE_GROUPS.events}
    merged = events.GroupsMerged(version=1, survivor="aldi:A", dissolved="aldi:B", shared=3, equal=2, at=AT)
    assert concerned(merged) == Concerned("aldi:B", "aldi:A", "aldi:B", 3, 2)
    handed = events.AnchorHandedOver(version=1, old="aldi:A", new="aldi:B", reason="closed", at=AT)
    assert concerned(handed) == Concerned("aldi:B", "aldi:B", "aldi:A")


def test_ids_are_computed_from_company_version_and_kind():
    same = events.GroupFormed(version=7, anchor="aldi:G1", at=AT.replace(year=2027))
    assert event_id(FORMED) == event_id(same) == event_id(events.GroupFormed(version=7, anchor="aldi:G2", at=AT))
    others = [
        events.GroupFormed(version=8, anchor="aldi:G1", at=AT),
        events.GroupFormed(version=7, anchor="iga:G1", at=AT),
        events.AnchorWentStale(version=7, anchor="aldi:G1", last_settled_at=None, at=AT),
    ]
    assert len({event_id(event) for event in (FORMED, *others)}) == 4


@pytest.mark.parametrize("caused", [True, False])
def test_a_message_names_its_cause_where_there_is_one(caused):
    scrape, message = UUID(int=1), UUID(int=2)
    cause = Envelope(
        event_id=message, event_type="store-settled", event_version=1, occurred_at=AT, correlation_id=scrape,
        producer="ingest",
    )  # fmt: skip
    row = to_row(FORMED, cause if caused else None, event_id(FORMED), prefix="t", producer="grouping")
    envelope, event = decode(STORE_GROUPS, row.headers, row.value)
    assert (row.topic, row.key, event) == ("t.store-groups.v1", b"aldi", FORMED)
    assert (envelope.event_id, envelope.occurred_at) == (event_id(FORMED), AT)
    assert envelope.causation_id == (message if caused else None)
    assert envelope.correlation_id == (scrape if caused else event_id(FORMED))


def test_a_company_is_in_one_shard_of_both_topics():
    assert PRICE_CHANGED.partitions == STORE_GROUPS.partitions
    shards = {company: shard_of(company) for company in ("aldi", "coles", "woolworths", "iga")}
    # As aiokafka's producer, and the Java client, place them: by murmur2 of the key.
    assert shards == {"aldi": 1, "coles": 6, "woolworths": 11, "iga": 8}
