"""A member is scraped, or its anchor is: what follows, case by case."""

from datetime import timedelta

import pytest

from splitcart_common.events.groups import MemberConfirmed
from tests.support.grouping_model import TURN, Company, hours, names, prices


def group(*stores: str) -> Company:
    """Stores of equal prices, scraped an hour after the turn and in one group, the first its anchor."""
    company = Company()
    company.discover(*stores)
    for store in stores:
        company.scrape(store, prices(), hours(1))
    assert company.parts() == {frozenset(stores)}
    return company


def test_a_store_is_a_group_of_one_when_it_is_discovered():
    company = Company()
    assert names(company.discover("A")) == ["group-formed"]
    assert company.discover("A") == []
    assert company.parts() == {frozenset("A")}


def test_equal_stores_are_merged_under_the_one_that_was_first():
    company = Company()
    company.discover("A", "B")
    assert company.scrape("B", prices(), hours(1)) == []
    events = company.scrape("A", prices(), hours(2))
    assert names(events) == ["groups-merged", "member-confirmed"]
    assert (events[0].survivor, events[0].dissolved) == ("aldi:A", "aldi:B")
    assert (events[0].shared, events[0].equal) == (250, 250)


def test_a_member_found_equal_is_confirmed_with_its_exceptions():
    company = group("A", "B")
    (event,) = company.scrape("B", prices(249, k0003=900, extra=50), hours(4))
    assert isinstance(event, MemberConfirmed)
    assert [(e.sku, e.price) for e in event.exceptions] == [("extra", 50), ("k0003", 900), ("k0249", None)]
    assert {e.seen_at for e in event.exceptions} == {hours(4)}
    assert (event.shared, event.equal, event.rule_version) == (
        248,
        248,
        "1",
    )  # k0003 moved since the anchor was seen


def test_a_member_that_differs_is_ejected_by_a_full_scrape_with_a_sample():
    company = group("A", "B")
    (event,) = company.scrape("B", prices(base=1100), hours(4))
    assert names([event]) == ["member-ejected"]
    assert (event.shared, event.equal, len(event.differing)) == (250, 0, 20)
    assert company.parts() == {frozenset("A"), frozenset("B")}


def test_an_ejected_member_joins_at_once_the_group_it_matches():
    company = group("A", "B")
    company.discover("C")
    company.scrape("C", prices(base=1100), hours(2))
    events = company.scrape("B", prices(base=1100), hours(4))
    assert names(events) == ["member-ejected", "groups-merged", "member-confirmed"]
    assert company.parts() == {frozenset("A"), frozenset("BC")}
    assert company.anchor("B") == "C"


@pytest.mark.parametrize("outcome", ["partial", "abandoned", "superseded"])
def test_a_member_that_differs_by_what_is_not_full_is_asked_for_once(outcome):
    company = group("A", "B")
    events = company.scrape("B", prices(base=1100), hours(4), outcome)
    assert names(events) == ["rescrape-needed"]
    assert company.tick(hours(5)) == []
    assert company.anchor("B") == "A"
    again = company.scrape("B", prices(base=1100), hours(6), outcome)
    assert names(again) == ["rescrape-needed"]  # it settled since, and is still not full
    assert names(company.scrape("B", prices(base=1100), hours(8))) == ["member-ejected"]


def test_a_stale_anchor_is_flagged_once_and_nothing_is_judged():
    company = group("A", "B", "C")
    (event,) = company.scrape("B", prices(base=1), hours(80))
    assert names([event]) == ["anchor-went-stale"]
    assert event.last_settled_at == hours(1) + timedelta(minutes=10)
    assert company.scrape("C", prices(base=1), hours(81)) == []
    assert company.tick(hours(82)) == []
    # Scraped once more, and stale once more: flagged once more.
    company.scrape("A", prices(), hours(83))
    assert names(company.tick(hours(83 + 80))) == ["anchor-went-stale"]


def test_the_tick_flags_stale_anchors_that_have_members():
    company = group("A", "B")
    company.discover("C")
    events = company.tick(hours(80))
    assert [(type(event).TYPE, event.anchor) for event in events] == [("anchor-went-stale", "aldi:A")]
    assert company.tick(hours(81)) == []


def test_a_turn_between_two_scrapes_is_neither_equal_nor_different():
    company = Company()
    company.discover("A", "B")
    before = TURN + timedelta(days=7, hours=-2)
    company.scrape("A", prices(), before)
    assert company.scrape("B", prices(), before + timedelta(hours=3)) == []
    assert company.parts() == {frozenset("A"), frozenset("B")}
    company = group("A", "B")
    company.scrape("A", prices(), before)
    assert names(company.scrape("B", prices(base=7), before + timedelta(hours=3))) == ["anchor-went-stale"]
    assert company.anchor("B") == "A"


def test_a_scrape_that_spans_a_turn_is_stale():
    company = Company()
    company.discover("A", "B")
    company.scrape("A", prices(), hours(7 * 24) - timedelta(minutes=5))
    assert company.scrape("B", prices(), hours(7 * 24 + 1)) == []
    assert company.tick(hours(7 * 24 + 2)) == []
    assert names(company.scrape("A", prices(), hours(7 * 24 + 3)))[:1] == ["groups-merged"]


def test_an_anchor_that_differs_asks_for_its_members_and_ejects_nobody():
    company = group("A", "B")
    events = company.scrape("A", prices(base=1100), hours(4))
    assert [(type(event).TYPE, event.store) for event in events] == [("rescrape-needed", "aldi:B")]
    assert company.scrape("A", prices(base=1100), hours(5)) == []  # once
    assert company.anchor("B") == "A"


def test_a_standing_confirmation_is_made_again_only_when_it_says_more_or_is_a_day_old():
    company = group("A", "B")
    assert company.scrape("A", prices(), hours(4)) == []
    assert names(company.scrape("A", prices(251), hours(6))) == ["member-confirmed"]
    assert company.scrape("A", prices(251), hours(20)) == []
    assert names(company.scrape("A", prices(251), hours(31))) == ["member-confirmed"]


def test_a_lapsed_confirmation_ejects_nobody():
    company = group("A", "B")
    for day in range(1, 12):
        company.scrape("A", prices(), TURN + timedelta(days=day, hours=2))
        company.tick(TURN + timedelta(days=day, hours=3))
    assert company.anchor("B") == "A"
    assert "member-ejected" not in names(company.log)


def test_too_little_evidence_neither_confirms_nor_ejects_nor_asks_for_what_a_full_scrape_has_said():
    company = group("A", "B")
    few = prices(3, base=1)
    assert company.scrape("B", few, hours(4)) == []
    company.scrape("A", prices(), hours(7 * 24 + 1))
    for later in range(4, 40, 4):
        assert company.scrape("B", few, hours(7 * 24 + later)) == []
    assert company.tick(hours(7 * 24 + 41)) == []
    assert company.anchor("B") == "A"


def test_a_store_with_three_listings_matches_nobody():
    company = Company()
    company.discover("A", "B")
    company.scrape("A", prices(3), hours(1))
    assert company.scrape("B", prices(3), hours(2)) == []
    assert company.tick(hours(3)) == []


def test_forty_percent_of_the_smaller_range_must_be_shared():
    company = Company()
    company.discover("A", "B", "C")
    company.scrape("A", prices(600), hours(1))
    apart = {f"x{number}": 5 for number in range(301)}
    assert company.scrape("B", prices(200) | apart, hours(2)) == []
    del apart["x0"]
    assert names(company.scrape("C", prices(200) | apart, hours(2)))[:1] == ["groups-merged"]


def test_an_empty_scrape_takes_nothing_away():
    company = group("A", "B")
    (event,) = company.scrape("B", {}, hours(4), "partial")
    assert (event.TYPE, event.shared, event.exceptions) == ("member-confirmed", 250, ())


def test_the_rule_of_98_percent_is_exact():
    company = Company()
    company.discover("A", "B", "C")
    company.scrape("A", prices(), hours(1))
    other = {f"k{number:04}": 1 for number in range(6)}
    assert company.scrape("B", prices(**other), hours(1)) == []
    del other["k0005"]
    assert names(company.scrape("C", prices(**other), hours(1)))[:1] == ["groups-merged"]


def test_a_scrape_settled_before_its_store_was_discovered_is_kept():
    company = Company()
    company.discover("A")
    company.scrape("A", prices(), hours(1))
    assert company.scrape("B", prices(), hours(1)) == []
    assert company.anchor("B") is None
    assert names(company.discover("B", at=hours(2))) == ["group-formed"]
    assert names(company.tick(hours(3))) == ["groups-merged", "member-confirmed"]


def test_a_closed_store_is_neither_scraped_nor_compared_and_may_come_back():
    company = group("A", "B")
    company.discover("C")
    assert company.close("B", hours(2)) == []
    assert company.anchor("B") == "A"
    assert company.scrape("B", prices(base=1), hours(3)) == []
    assert company.discover("B", at=hours(1)) == []  # the discovery of before, read again
    assert not company.market.is_open("aldi:B")
    assert company.discover("B", at=hours(5)) == []
    assert company.market.is_open("aldi:B")
    assert names(company.scrape("B", prices(base=1), hours(6))) == ["member-ejected"]
