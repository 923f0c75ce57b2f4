"""The laws of the two folds (protocol.md), over random logs."""

from hypothesis import given
from hypothesis import strategies as st

from splitcart_ingest.domain.membership import Confirmed
from tests.support.fold_model import (
    EPOCH,
    LISTINGS,
    MOMENTS,
    STORES,
    Model,
    fold,
    group_logs,
    interleave,
    streams,
    visits,
)


def outcome(model: Model) -> object:
    """All that is kept: records, and what is served at fixed moments."""
    return model.records(), [model.served(at) for at in MOMENTS]


@given(visits(), group_logs(), st.data())
def test_folding_again_changes_nothing(scraped, groups, data):
    parts = [*streams(scraped).values(), groups]
    once = [message for part in parts for message in part]
    again = []
    for part in parts:
        for message in part:
            again.append(message)
            seen = part[: part.index(message) + 1]
            again += data.draw(st.lists(st.sampled_from(seen), max_size=2))
    assert outcome(fold(again + once)) == outcome(fold(once))


@given(visits(), group_logs(), st.lists(st.integers(0, 3)), st.lists(st.integers(0, 3)))
def test_interleaving_of_the_streams_does_not_matter(scraped, groups, order, other):
    parts = [*streams(scraped).values(), groups]
    assert outcome(fold(interleave(parts, order))) == outcome(fold(interleave(parts, other)))


@given(visits(), group_logs(), st.lists(st.integers(1, 7)), st.lists(st.integers(1, 7)))
def test_the_split_into_batches_does_not_matter(scraped, groups, cuts, other):
    logs = [[m for part in streams(scraped, by).values() for m in part] + groups for by in (cuts, other)]
    assert outcome(fold(logs[0])) == outcome(fold(logs[1]))


@given(visits(), group_logs(), st.sampled_from(MOMENTS))
def test_as_of_a_moment_is_the_fold_stopped_there(scraped, groups, at):
    whole = fold([m for part in streams(scraped).values() for m in part] + groups)
    stopped = Model()
    for store, of_store in streams(scraped).items():
        times = {scrape.scrape_id: scrape.at for scrape in whole.scrapes.get(store, {}).values()}
        for key, message in of_store:
            if times.get(message.scrape_id, EPOCH) <= at:
                stopped.observe(key, message)
    clamped = {marker.version: marker.at for of in whole.members.markers.values() for marker in of}
    for message in groups:
        if clamped.get(message.version, at) <= at:
            stopped.group(message)
    assert whole.served(at) == stopped.served(at)


@given(visits())
def test_without_groups_a_price_is_the_last_one_seen_unless_a_full_scrape_missed_it(scraped):
    model = fold([m for part in streams(scraped).values() for m in part])
    for store in STORES:
        expected: dict[int, int | None] = {}
        rows = {row.scrape_id: row for row in model.scrapes.get(store, {}).values()}
        for scrape in scraped[store]:
            first = dict(reversed(scrape.seen))
            expected |= {x: price for x, price in first.items() if price is not None}
            if rows[scrape.scrape_id].outcome == "full":
                sold = {x for x, _ in scrape.seen} | set(scrape.refused)
                expected |= dict.fromkeys(expected.keys() - sold)
        answers = model.served(MOMENTS[-1])
        got = {x: answers[store, x].price for x in LISTINGS if answers[store, x] is not None}
        assert got == {x: price for x, price in expected.items() if price is not None}


@given(visits(), group_logs())
def test_times_never_run_backwards(scraped, groups):
    model = fold([m for part in streams(scraped).values() for m in part] + groups)
    for record in model.records().values():
        assert [s.at for s in record.scrapes] == sorted(s.at for s in record.scrapes)
        assert [m.version for m in record.markers] == sorted(m.version for m in record.markers)
        assert [m.at for m in record.markers] == sorted(m.at for m in record.markers)


@given(visits())
def test_only_a_complete_full_scrape_withdraws(scraped):
    model = fold([m for part in streams(scraped).values() for m in part])
    for store, of_store in scraped.items():
        by_id = {scrape.scrape_id: scrape for scrape in of_store}
        for row in model.scrapes.get(store, {}).values():
            if row.outcome == "full":
                scrape = by_id[row.scrape_id]
                assert scrape.scope == "full"
                assert scrape.end == "completed"
                assert scrape.all_categories
                assert scrape.without_sku == 0


@given(visits(), group_logs())
def test_a_member_is_never_served_what_it_is_known_not_to_sell(scraped, groups):
    model = fold([m for part in streams(scraped).values() for m in part] + groups)
    at = MOMENTS[-1]
    for store in STORES:
        markers = model.members.markers.get(store, [])
        last = markers[-1] if markers else None
        if isinstance(last, Confirmed):
            for x, exception in last.exceptions.items():
                answer = model.served(at)[store, x]
                if exception.price is None and answer is not None:
                    assert answer.store == store  # contradicted by its own later scrape
