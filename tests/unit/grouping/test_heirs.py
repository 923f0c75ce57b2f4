"""A closed anchor hands over to a member."""

from tests.support.grouping_model import Company, hours, names, prices


def group() -> Company:
    company = Company()
    company.discover("A", "B", "C", "D")
    for store, of in (("A", prices()), ("B", prices(k0001=900)), ("C", prices()), ("D", prices(249))):
        company.scrape(store, of, hours(1))
    assert company.parts() == {frozenset("ABCD")}
    return company


def test_without_a_full_scrape_above_its_floor_nobody_is_heir_and_one_is_asked_for():
    company = group()
    company.scrape("C", prices(), hours(3))
    (event,) = company.close("A", hours(4))
    assert (event.TYPE, event.store) == ("rescrape-needed", "aldi:C")  # the one seen last
    assert company.tick(hours(5)) == []
    assert company.anchor("B") == "A"


def test_the_heir_takes_over_when_it_has_been_scraped():
    company = group()
    company.close("A", hours(4))
    before = {(store, sku): company.price(store, sku, hours(6)) for store in "BD" for sku in prices()}
    events = company.scrape("C", prices(), hours(5))
    assert names(events) == ["member-ejected", "anchor-handed-over", "member-confirmed", "member-confirmed"]
    assert (events[1].old, events[1].new) == ("aldi:A", "aldi:C")
    assert company.parts() == {frozenset("A"), frozenset("BCD")}
    assert company.groups.anchors["aldi:C"] == company.groups.anchors["aldi:A"]
    assert {key: company.price(*key, hours(6)) for key in before} == before
    assert company.tick(hours(7)) == []


def test_of_several_heirs_the_one_seen_last_takes_over():
    company = group()
    company.tick(hours(80))
    for number, store in enumerate("BCD"):  # nothing is judged while the anchor is stale
        company.scrape(store, prices(), hours(80 + number))
    events = company.close("A", hours(84))
    assert names(events)[:2] == ["member-ejected", "anchor-handed-over"]
    assert events[1].new == "aldi:D"
    assert [event.store for event in events[2:]] == ["aldi:B", "aldi:C"]
    assert company.parts() == {frozenset("A"), frozenset("BCD")}


def test_closed_members_are_no_heirs_but_are_handed_over():
    company = group()
    company.close("D", hours(2))
    company.close("A", hours(4))
    company.scrape("B", prices(k0001=900), hours(6))
    assert company.parts() == {frozenset("A"), frozenset("BCD")}
    assert company.anchor("D") == "B"


def test_a_group_of_closed_stores_is_left_alone():
    company = group()
    for store in "BCDA":
        assert company.close(store, hours(4)) == []
    assert company.tick(hours(5)) == []


def test_a_closed_anchor_that_is_discovered_again_goes_on():
    company = group()
    company.close("A", hours(4))
    assert company.discover("A", at=hours(5)) == []
    assert names(company.scrape("A", prices(), hours(30))) == ["member-confirmed"] * 3


def test_a_dissolved_anchor_is_confirmed_last_and_the_smaller_group_joins_the_larger():
    company = Company()
    company.discover("A", "B", "C", "D", "E")
    for store in "DE":
        company.scrape(store, prices(base=2000), hours(1))
    for store in "ABC":
        company.scrape(store, prices(), hours(1))
    assert company.parts() == {frozenset("ABC"), frozenset("DE")}
    events = company.scrape("D", prices(), hours(4))
    assert names(events) == ["rescrape-needed", "groups-merged", "member-confirmed", "member-confirmed"]
    assert (events[1].survivor, events[1].dissolved) == ("aldi:A", "aldi:D")
    assert [event.store for event in events[2:]] == ["aldi:E", "aldi:D"]


def test_a_store_without_a_full_scrape_above_its_floor_is_no_survivor():
    company = group()
    company.discover("Z")
    events = company.scrape("B", prices(base=3000), hours(4))
    assert names(events) == ["member-ejected"]
    company.scrape("Z", prices(base=3000), hours(5))
    assert company.anchor("B") in {"Z", "B"}
    assert frozenset("BZ") in company.parts()
