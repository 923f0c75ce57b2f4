"""Comparing fairly: drift, clearances, and what a merge or a hand-over carries along."""

from splitcart_grouping.domain.draft import Draft
from tests.support.grouping_model import TURNS, Company, hours, names, prices


def compared(company: Company, a: str, b: str, at):
    draft = Draft(company.market, company.groups, at, TURNS)
    return draft.compare(company.key(a), company.key(b))


def some(count: int, price: int) -> dict[str, int]:
    return {f"k{number:04}": price for number in range(count)}


def said(event) -> list[tuple[str, int | None]]:
    return [(exception.sku, exception.price) for exception in event.exceptions]


def test_drift_known_elsewhere_is_unknown():
    company = Company()
    company.discover("A", "B", "C")
    company.scrape("C", prices(600), hours(1))
    company.scrape("A", prices(600), hours(2))
    company.scrape("B", prices(600, **some(10, 1200)), hours(10), decides=False)
    found = compared(company, "A", "B", hours(11))
    assert (found.shared, found.equal, found.unknown) == (600, 590, 0)
    # A third store is seen to go from A's price to B's, between A's scrape and B's.
    company.scrape("C", prices(600, **some(10, 1200)), hours(9), decides=False)
    found = compared(company, "A", "B", hours(11))
    assert (found.shared, found.equal, found.unknown) == (590, 590, 10)


def test_drift_the_other_way_round_or_before_both_sightings_says_nothing():
    company = Company()
    company.discover("A", "B", "C", "D")
    company.scrape("C", prices(600, **some(10, 1200)), hours(1))
    company.scrape("D", prices(600), hours(1))
    company.scrape("D", prices(600, **some(10, 1200)), hours(3), decides=False)
    company.scrape("A", prices(600), hours(4))
    company.scrape("B", prices(600, **some(10, 1200)), hours(10), decides=False)
    company.scrape("C", prices(600), hours(9), decides=False)
    assert compared(company, "A", "B", hours(11)).unknown == 0


def test_what_moved_across_a_turn_is_no_drift():
    week = 7 * 24
    company = Company()
    company.discover("A", "B", "C")
    company.scrape("C", prices(600), hours(week - 2))
    company.scrape("A", prices(600), hours(week + 1))
    company.scrape("C", prices(600, **some(10, 1200)), hours(week + 3))
    company.scrape("B", prices(600, **some(10, 1200)), hours(week + 5), decides=False)
    found = compared(company, "A", "B", hours(week + 6))
    assert (found.equal, found.unknown) == (590, 0)


def test_a_members_own_move_since_its_anchor_was_seen_is_unknown():
    company = Company()
    company.discover("A", "B")
    company.scrape("B", prices(600), hours(1))
    company.scrape("A", prices(600), hours(2))
    events = company.scrape("B", prices(600, **some(10, 1200)), hours(10))
    assert names(events) == ["member-confirmed"]  # 97.5 % by the letter, but all ten may have moved at A, too
    assert (events[0].shared, events[0].equal) == (590, 590)
    assert said(events[0]) == [(sku, 1200) for sku in sorted(some(10, 1200))]


def clearance_of_the_anchor() -> Company:
    """A is the anchor of B, C and D, all seen in the first hours; then A clears a listing."""
    company = Company()
    company.discover("A", "B", "C", "D")
    for store in "ABCD":
        company.scrape(store, prices(), hours(1))
    company.scrape("A", prices(k0007=500), hours(5))
    return company


def test_where_the_anchor_moved_since_the_anchors_price_stands():
    company = clearance_of_the_anchor()
    assert company.price("B", "k0007", hours(6)) == 500
    assert said(company.scrape("B", prices(k0007=500), hours(6))[0]) == []


def test_an_anchors_own_clearance_is_stated_as_an_exception_where_two_sources_contradict_it():
    company = clearance_of_the_anchor()
    (one,) = company.scrape("B", prices(), hours(6))
    assert said(one) == [("k0007", 1000)]  # its own price, seen later
    assert company.price("D", "k0007", hours(6.5)) == 500
    company.scrape("C", prices(), hours(7))
    events = company.scrape("A", prices(k0007=500), hours(9))
    of = {event.store: event for event in events}
    assert said(of["aldi:D"]) == [("k0007", 1000)]  # seen before the clearance; two others say what the group's is
    assert of["aldi:D"].exceptions[0].seen_at == hours(7)
    assert company.price("D", "k0007", hours(10)) == 1000


def test_one_source_does_not_contradict_an_anchor():
    company = clearance_of_the_anchor()
    company.scrape("B", prices(), hours(6))
    company.scrape("A", prices(k0007=500), hours(9))
    assert company.price("D", "k0007", hours(10)) == 500


def test_a_minority_does_not_contradict_an_anchor():
    company = clearance_of_the_anchor()
    company.discover("E", "F", at=hours(5))
    for store, price in (("B", 1000), ("C", 1000), ("E", 500), ("F", 500)):
        company.scrape(store, prices(k0007=price), hours(6))
    company.scrape("A", prices(k0007=500), hours(9))
    assert company.price("D", "k0007", hours(10)) == 500


def test_a_merge_composes_the_exceptions_of_stores_it_does_not_look_at():
    company = Company()
    before_the_turn = hours(-20)
    company.discover("A", "B", "C", "D", "E", at=hours(-21))
    for store in "ABC":
        company.scrape(store, prices(**some(10, 2000)), before_the_turn)
    company.scrape("D", prices(k0101=900), before_the_turn)
    company.scrape("E", prices(249, k0101=900, k0102=950, e=70), before_the_turn)
    assert company.parts() == {frozenset("ABC"), frozenset("DE")}
    skus = ("k0101", "k0102", "k0249", "e", "k0001", "k0200")
    before = [company.price("E", sku, hours(3)) for sku in skus]
    company.scrape("A", prices(), hours(1))
    events = company.scrape("D", prices(k0101=900), hours(2))
    assert names(events)[-3:] == ["groups-merged", "member-confirmed", "member-confirmed"]
    assert [event.store for event in events[-2:]] == ["aldi:E", "aldi:D"]
    assert (events[-2].shared, events[-2].equal) == (0, 0)  # it was not looked at
    assert said(events[-2]) == [("e", 70), ("k0101", 900), ("k0102", 950), ("k0249", None)]
    assert [e.seen_at for e in events[-2].exceptions] == [
        before_the_turn,
        hours(2),
        before_the_turn,
        before_the_turn,
    ]
    assert [company.price("E", sku, hours(3)) for sku in skus] == before
    assert company.groups.members["aldi:E"].confirmed_at < hours(0)  # when it was last compared


def test_a_price_exception_of_more_than_seven_days_is_dropped_and_not_sold_stands():
    company = Company()
    company.discover("A", "H", "M")
    company.scrape("A", prices(), hours(1))
    company.scrape("H", prices(), hours(1))
    company.scrape("M", prices(249, k0001=900), hours(1))
    assert company.anchor("M") == "A"
    late = 8 * 24
    company.close("A", hours(late))
    events = company.scrape("H", prices(), hours(late + 1))
    assert names(events) == ["member-ejected", "anchor-handed-over", "member-confirmed"]
    assert said(events[-1]) == [("k0249", None)]
    assert company.price("M", "k0249", hours(late + 2)) is None
    assert company.price("M", "k0001", hours(late + 2)) == 1000


def test_a_store_that_went_to_another_zone_makes_nothing_unknown():
    company = Company()
    company.discover("A", "B", "C")
    company.scrape("A", prices(), hours(1))
    company.scrape("C", prices(), hours(2))
    company.scrape("C", prices(**some(20, 1200)), hours(4))
    company.scrape("B", prices(**some(20, 1200)), hours(6))
    assert compared(company, "A", "B", hours(7)).unknown == 0
    assert company.parts() == {frozenset("A"), frozenset("BC")}
