"""`settle`: a scrape of 20,000 listings settles among 1,000 current anchors: health check, best merge found.

Ours is what the service runs: the fold of the scrape into the market, then `on_settled`. The store is a member
that differs now, so it is compared with its anchor, ejected, compared with every other anchor, and merged with the
best. The baseline compares dictionaries: a store with its anchor and with each of the others, timed on a sample of
50 of these 1,000 pairs and extrapolated. Every store sells 94.5 % of the listings; anchors are 3 to 30 % away from
a common price list.
"""

import os
import time
from datetime import timedelta

from benchmarks.measure import Result, report, rounds, say
from benchmarks.stores import AT, LISTINGS, TURNS, Country, dict_pair
from splitcart_grouping.domain.compare import warm_up
from splitcart_grouping.domain.decide import on_settled

ANCHORS, SAMPLE = 1_000, 50
ROUNDS = int(os.environ.get("ROUNDS", "5"))


def main() -> dict[str, object]:
    """Measure and print."""
    warm_up()
    country = Country(ANCHORS + 1, zones=ANCHORS, sold=0.945)  # nobody matches: 1,000 anchors stay 1,000
    store, home, other = country.keys[-1], country.keys[0], country.keys[1]
    for key in country.keys[:-1]:
        country.scrape(key, AT)
    country.prices[-1] = country.in_zone(ANCHORS, 0)
    country.scrape(store, AT + timedelta(hours=1))
    country.fold(on_settled(country.market, country.groups, store, AT + timedelta(hours=1), TURNS))
    assert country.groups.anchor_of(store) == home
    say(f"{len(country.groups.anchors)} anchors of {LISTINGS:,} listings; {store} is a member of {home}")
    at = AT + timedelta(hours=1)
    zones = [1, 0]

    def ours() -> float:
        nonlocal at
        zone, at = zones.pop(0), at + timedelta(minutes=1)
        zones.append(zone)
        country.prices[-1] = country.in_zone(ANCHORS, zone)
        settlement, changes = country.settlement(store, at)
        began = time.perf_counter()
        country.market.settle(settlement, changes)
        events = on_settled(country.market, country.groups, store, at, TURNS)
        seconds = time.perf_counter() - began
        country.fold(events)
        assert [type(event).TYPE for event in events] == ["member-ejected", "groups-merged", "member-confirmed"]
        assert country.groups.anchor_of(store) == (home, other)[zone]
        return 1 / seconds

    def baseline() -> float:
        mine, *others = (country.as_dict(row) for row in (ANCHORS, *range(0, ANCHORS, ANCHORS // SAMPLE)))
        began = time.perf_counter()
        for theirs in others:
            dict_pair(mine, theirs)
        return SAMPLE / (time.perf_counter() - began) / ANCHORS

    ours_rates, baseline_rates = rounds(ours, baseline, ROUNDS)
    say(f"ours {1e3 / max(ours_rates):.1f} ms at best; the baseline was timed on {SAMPLE} of {ANCHORS:,} pairs")
    return report(Result("settle", "scrapes/s", ours_rates, baseline_rates, must_reach=300, aim=1_000))


if __name__ == "__main__":
    main()
