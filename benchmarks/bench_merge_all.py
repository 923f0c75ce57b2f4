"""`merge_all`: 1,000 fresh stores of 20,000 listings in 40 zones, merged to the fixed point by one tick.

Ours is `on_tick`, with every confirmation and its exceptions, as the service runs it. The baseline is the same
algorithm on dictionaries: as many comparisons as ours made, and as many confirmations composed, each timed on a
sample (60 pairs of different zones, 20 confirmations) and extrapolated.
"""

import os
import time
from datetime import timedelta

from benchmarks.measure import Result, report, rounds, say
from benchmarks.stores import AT, LISTINGS, TURNS, Country, dict_pair
from splitcart_common.events.groups import GroupException, MemberConfirmed
from splitcart_common.service import tune_collector
from splitcart_grouping.domain import merge
from splitcart_grouping.domain.compare import matches, warm_up
from splitcart_grouping.domain.decide import on_tick
from splitcart_grouping.domain.remembered import Remembered

STORES, ZONES, PAIRS, CONFIRMED = 1_000, 40, 60, 20
ROUNDS = int(os.environ.get("ROUNDS", "3"))
SOLD = float(os.environ.get("SOLD", "1"))
"""The share of the listings each store sells: below 1, most of the time goes to stating whose range has what."""


def dict_exceptions(mine: dict[str, int], anchor: dict[str, int]) -> tuple[GroupException, ...]:
    """The baseline's statement: what the member has at another price, and what only one of the two sells."""
    found = [GroupException(sku, price, AT) for sku, price in mine.items() if anchor.get(sku) != price]
    found += [GroupException(sku, None, AT) for sku in anchor if sku not in mine]
    return tuple(sorted(found, key=lambda exception: exception.sku))


def main() -> dict[str, object]:
    """Measure and print."""
    warm_up()
    tune_collector()
    country = Country(STORES, ZONES, SOLD)
    for key in country.keys:
        country.scrape(key, AT)
    made = {"comparisons": 0, "confirmations": 0}

    def counted(vectors, drift, row, rows, rules):  # type: ignore[no-untyped-def]
        made["comparisons"] += len(rows)
        return matches(vectors, drift, row, rows, rules)

    def ours() -> float:
        country.market.remembered = Remembered()
        began = time.perf_counter()
        events = on_tick(country.market, country.groups, AT + timedelta(hours=1), TURNS)
        seconds = time.perf_counter() - began
        groups = country.groups.copy()
        for event in events:
            groups.evolve(event)
        assert len(groups.anchors) == ZONES
        made["confirmations"] = sum(isinstance(event, MemberConfirmed) for event in events)
        assert on_tick(country.market, groups, AT + timedelta(hours=1), TURNS) == []
        return 1 / seconds

    def baseline() -> float:
        stores = [country.as_dict(row) for row in range(PAIRS + 1)]
        began = time.perf_counter()
        for row in range(PAIRS):
            dict_pair(stores[row], stores[row + 1])
        pair = (time.perf_counter() - began) / PAIRS
        began = time.perf_counter()
        for row in range(CONFIRMED):
            dict_exceptions(stores[row], stores[row + ZONES])
        confirmed = (time.perf_counter() - began) / CONFIRMED
        return 1 / (pair * made["comparisons"] + confirmed * made["confirmations"])

    merge.matches = counted  # type: ignore[attr-defined]
    ours()  # the counts, and warm caches; every pair is compared once, so each round makes the same
    merge.matches = matches  # type: ignore[attr-defined]
    comparisons, confirmations = made["comparisons"], made["confirmations"]
    say(f"{STORES:,} stores of {LISTINGS:,}: {comparisons:,} comparisons, {confirmations:,} confirmations")
    ours_rates, baseline_rates = rounds(ours, baseline, ROUNDS)
    say(f"ours {1 / max(ours_rates):.2f} s, the baseline {1 / max(baseline_rates):.1f} s, both at best")
    return report(Result("merge_all", "passes/s", ours_rates, baseline_rates, must_reach=100, aim=400))


if __name__ == "__main__":
    main()
