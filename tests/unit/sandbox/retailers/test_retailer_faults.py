"""Faults by rate and by script: the same in every run, and only where they were ordered."""

from collections import Counter

import pytest

from splitcart_sandbox.retailers.faults import OWN, PROFILES, Fault, Faults, Script, answer_of, script_of
from splitcart_sandbox.retailers.web import Answer, Call

ANSWER, WALL = Answer(200, b'{"data":[]}'), Answer(403, b"<HTML>", {}, "text/html")


def call(
    kind: str = "listing", store: str = "G1", category: str = "5", own: frozenset[Fault] = frozenset()
) -> Call:
    ways = {fault.value: lambda _at, _hides: ANSWER for fault in own}
    return Call(kind, store, category, lambda _at, _hides: ANSWER, ways)


def test_no_profile_no_fault():
    faults = Faults(1, PROFILES["none"])
    assert {faults.decide("aldi", call(), 0) for _ in range(1_000)} == {None}


@pytest.mark.parametrize("profile", ["mild", "hostile"])
def test_rates_are_met_and_repeat(profile: str):
    rates = PROFILES[profile]
    faults, again = Faults(1, rates), Faults(1, rates)
    every = call(category="", own=OWN)
    run = [faults.decide("coles", every, 0) for _ in range(20_000)]
    assert run == [again.decide("coles", every, 0) for _ in range(20_000)]
    met = Counter(run)
    for fault in set(Fault) - {Fault.SHORT_CATEGORY}:
        assert abs(met[fault] / 20_000 - rates.get(fault, 0)) < 0.004
    assert run != [Faults(2, rates).decide("coles", every, 0) for _ in range(20_000)]


def test_a_fault_that_only_a_face_can_carry_out_happens_to_no_other():
    faults = Faults(1, dict.fromkeys(OWN, 1 / len(OWN)))
    assert {faults.decide("aldi", call(), 0) for _ in range(100)} == {None}
    assert {faults.decide("coles", call(own=OWN), 0) for _ in range(100)} == OWN
    faults = Faults(1, {})
    faults.order(Script("coles", Fault.NEW_BUILD, count=1))
    assert faults.decide("coles", call("other"), 0) is None
    able = call(own=frozenset({Fault.NEW_BUILD}))
    assert [faults.decide("coles", able, 0) for _ in range(2)] == [Fault.NEW_BUILD, None]


def test_short_categories_by_rate_stay_short_for_the_day():
    faults = Faults(1, {Fault.SHORT_CATEGORY: 0.1})
    short = {c for c in range(500) if faults.decide("aldi", call(category=str(c)), 0)}
    assert 20 < len(short) < 80
    assert short == {c for c in range(500) if faults.decide("aldi", call(category=str(c)), 3_600)}
    assert faults.decide("aldi", call("product", category=""), 0) is None
    hides = faults.hides("aldi", call())
    assert hides is not None
    hidden = [hides(str(sku)) for sku in range(1_000)]
    assert 300 < sum(hidden) < 500
    assert hidden == [hides(str(sku)) for sku in range(1_000)]


def test_a_script_by_count():
    faults = Faults(1, {})
    faults.order(Script("aldi", Fault.THROTTLED, count=2))
    assert faults.decide("coles", call(), 0) is None
    assert [faults.decide("aldi", call(), 0) for _ in range(3)] == [Fault.THROTTLED, Fault.THROTTLED, None]


def test_a_script_until_a_moment_of_one_store_and_kind():
    faults = Faults(1, {})
    faults.order(Script("aldi", Fault.BOT_WALL, until=100, store="G1", call="listing"))
    assert faults.decide("aldi", call(store="G2"), 0) is None
    assert faults.decide("aldi", call("product"), 0) is None
    assert [faults.decide("aldi", call(), at) for at in (0, 99, 100)] == [Fault.BOT_WALL, Fault.BOT_WALL, None]


def test_a_script_of_short_categories_counts_categories():
    faults = Faults(1, {})
    faults.order(Script("aldi", Fault.SHORT_CATEGORY, count=1))
    assert faults.decide("aldi", call("product"), 0) is None
    assert [faults.decide("aldi", call(category=c), 0) for c in ("5", "5", "6", "5")] == [
        Fault.SHORT_CATEGORY,
        Fault.SHORT_CATEGORY,
        None,
        Fault.SHORT_CATEGORY,
    ]
    assert faults.clear("coles") == 0
    assert faults.clear("aldi") == 1
    assert faults.decide("aldi", call(), 0) is None


def test_a_script_at_a_rate_strikes_its_share_and_repeats():
    def run(seed: int) -> list[Fault | None]:
        faults = Faults(seed, {})
        faults.order(Script("aldi", Fault.ERROR, rate=0.25))
        assert faults.decide("coles", call(), 0) is None
        return [faults.decide("aldi", call(), 0) for _ in range(4_000)]

    struck = run(1)
    assert set(struck) == {Fault.ERROR, None}
    assert 0.22 < struck.count(Fault.ERROR) / len(struck) < 0.28
    assert struck == run(1) != run(2)


def test_a_rate_and_a_count_end_when_both_are_met():
    faults = Faults(1, {})
    faults.order(Script("aldi", Fault.ERROR, count=3, rate=0.5))
    struck = [faults.decide("aldi", call(), 0) for _ in range(200)]
    assert struck.count(Fault.ERROR) == 3
    assert struck[:3] != [Fault.ERROR] * 3


def test_a_script_of_short_categories_at_a_rate_draws_categories():
    faults = Faults(1, {})
    faults.order(Script("aldi", Fault.SHORT_CATEGORY, rate=0.3))
    first, again = ([faults.decide("aldi", call(category=str(c)), at) for c in range(300)] for at in (0, 10**9))
    assert first == again
    assert 60 < first.count(Fault.SHORT_CATEGORY) < 120
    assert first != [faults.decide("aldi", call(store="G2", category=str(c)), 0) for c in range(300)]


def test_what_a_client_gets():
    got = {fault: answer_of(fault, ANSWER, WALL, 7) for fault in Fault}
    assert (got[Fault.THROTTLED].status, got[Fault.THROTTLED].headers["retry-after"]) == (429, "7")
    assert (got[Fault.ERROR].status, got[Fault.UNAVAILABLE].status) == (500, 503)
    assert got[Fault.TRUNCATED].body == b'{"dat'
    assert got[Fault.BOT_WALL] is WALL
    assert (got[Fault.EMPTY].status, got[Fault.EMPTY].body) == (200, b"")
    assert all(got[fault] is ANSWER for fault in (Fault.SHORT_CATEGORY, *OWN))


def test_orders():
    order = {"company": "aldi", "kind": "drop", "count": 3, "call": "listing"}
    assert script_of(order, {"aldi": 1}) == Script("aldi", Fault.DROP, 3, None, "listing")
    rate = script_of({"company": "aldi", "kind": "drop", "rate": 0.5}, {"aldi": 1})
    assert rate == Script("aldi", Fault.DROP, rate=0.5)
    until = script_of({"company": "aldi", "kind": "drop", "until": "1970-01-01T00:01:00Z"}, {"aldi": 1})
    assert until.until == 60


@pytest.mark.parametrize(
    ("order", "says"),
    [
        ({"company": "bigmart", "kind": "drop", "count": 1}, "company must be one of aldi"),
        ({"company": "aldi", "kind": "flood", "count": 1}, "kind must be one of drop, timeout"),
        ({"company": "aldi", "kind": "drop"}, "either count or until"),
        ({"company": "aldi", "kind": "drop", "count": 1, "until": "x"}, "either count or until"),
        ({"company": "aldi", "kind": "drop", "count": 0}, "above 0"),
        ({"company": "aldi", "kind": "drop", "rate": 1}, "or a rate below 1"),
        ({"company": "aldi", "kind": "drop", "rate": 0}, "rate must be a number above 0"),
        ({"company": "aldi", "kind": "drop", "count": 1, "rate": "often"}, "rate must be a number above 0"),
        ({"company": "aldi", "kind": "drop", "until": "soon"}, "Invalid isoformat"),
        ({"company": "aldi", "kind": "drop", "until": "2026-09-01T00:00:00"}, "time zone"),
    ],
)
def test_bad_orders_say_what_is_wrong(order: dict[str, object], says: str):
    with pytest.raises(ValueError, match=says):
        script_of(order, {"aldi": 1})
