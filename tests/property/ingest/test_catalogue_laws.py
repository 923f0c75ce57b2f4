"""The laws of the catalogue, over random listings, words of operators and reconciling in between."""

import random
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from splitcart_common.events import CatalogueEvent, ListingUnlinked
from splitcart_ingest.domain.catalogue import Catalogue, State, evolve
from splitcart_ingest.domain.identity import decide
from splitcart_ingest.domain.matching import compare
from splitcart_ingest.domain.names import read
from tests.support.catalogue import CODES, Shelf, listing

COMPANIES = ("aldi", "coles", "iga", "woolworths")
NAMES = (
    "Tim Tam Original",
    "Arnott's Tim Tam Original Biscuits",
    "Tim Tam Dark",
    "Shapes Pizza",
    "Frozen Peas",
    "\u8212",
)

described = st.builds(
    listing,
    st.sampled_from(COMPANIES),
    st.sampled_from("123"),
    st.sampled_from(NAMES),
    brand=st.sampled_from([None, "Arnott's", "Arnotts Foods", "Mondelez Pty Ltd"]),
    size=st.sampled_from([None, "200g", "0.2 kg", "165g", "6 pack"]),
    barcode=st.sampled_from([None, None, *CODES[:3], "60092"]),
)
steps = st.lists(described | st.just("reconcile") | st.integers(0, 99), max_size=30)
"""A number: an operator parts one of the listings from its product."""


def run(history) -> Shelf:
    shelf = Shelf()
    for step in history:
        if step == "reconcile":
            shelf.reconciled()
        elif isinstance(step, int):
            linked = sorted(shelf.catalogue.listings())
            if linked:
                company, sku = linked[step % len(linked)]
                shelf.unmerged(f"{company}/{sku}", shelf.catalogue.product_of(company, sku))
        else:
            more = {"brand": step.brand, "size": step.size, "barcode": step.barcode}
            shelf.described(step.company, step.sku, step.name, **more)
    return shelf


def folded(events: Sequence[CatalogueEvent]) -> Catalogue:
    catalogue = Catalogue()
    for event in events:
        evolve(catalogue, event)
    return catalogue


@given(steps)
def test_the_log_alone_makes_the_catalogue_and_twice_is_once(history):
    shelf = run(history)
    state = shelf.catalogue.state()
    assert folded(shelf.said).state() == state
    assert folded([*shelf.said, *shelf.said]).state() == state
    assert folded([event for event in shelf.said for _ in range(2)]).state() == state


@given(steps, st.randoms(use_true_random=False))
def test_rows_in_any_order_make_the_catalogue_again(history, rng: random.Random):
    shelf = run(history)
    state = shelf.catalogue.state()
    loaded = Catalogue.of(*(rng.sample(rows, len(rows)) for rows in state))
    assert loaded.state() == state
    assert len(loaded) == len(shelf.catalogue)
    # It decides as the one that was never put away.
    for name in NAMES:
        one = listing("iga", "9", name, brand="Arnott's", size="200g", barcode=CODES[0])
        assert decide(loaded, one) == decide(shelf.catalogue, one)


@given(steps)
def test_every_listing_is_one_product_that_stands(history):
    shelf = run(history)
    catalogue, state = shelf.catalogue, shelf.catalogue.state()
    spoken_of = {(step.company, step.sku) for step in history if not isinstance(step, str | int)}
    assert {row[:2] for row in state.links} == spoken_of
    registered = {row.product_id for row in state.products}
    for row in state.links:
        assert row.product_id in registered
        assert catalogue.resolve(row.product_id) == row.product_id
        assert row[:2] in catalogue.listings_of(row.product_id)
    assert sum(len(catalogue.listings_of(product)) for product in registered) == len(state.links)


@given(steps)
def test_what_was_merged_points_at_its_survivor(history):
    shelf = run(history)
    for event in shelf.said:
        if event.TYPE == "products-merged":
            for merged in event.merged:
                assert shelf.catalogue.resolve(merged) == shelf.catalogue.resolve(event.survivor)
                assert shelf.catalogue.resolve(merged) != merged
                assert not shelf.catalogue.listings_of(merged)


@given(steps)
def test_what_an_operator_parted_no_rule_joins_again(history):
    shelf = run([*history, "reconcile"])
    shelf.reconciled(whole=True)
    barred = {(row[:2], row[2]) for row in shelf.catalogue.state().bars}
    parted = [event for event in shelf.said if isinstance(event, ListingUnlinked) and event.barred]
    assert len(barred) <= len(parted)
    for (company, sku), product in barred:
        assert shelf.catalogue.product_of(company, sku) != shelf.catalogue.resolve(product)


@given(steps)
def test_what_is_heard_again_decides_nothing(history):
    shelf = run(history)
    last = {(step.company, step.sku): step for step in history if not isinstance(step, str | int)}
    for step in last.values():
        assert decide(shelf.catalogue, step) == ()


@given(steps)
def test_reconciling_comes_to_rest(history):
    shelf = run(history)
    shelf.reconciled()
    assert shelf.reconciled() == ()
    shelf.reconciled(whole=True)
    assert shelf.reconciled(whole=True) == ()


@given(steps)
def test_deciding_touches_nothing(history):
    shelf = run(history)
    before, unsettled = shelf.catalogue.state(), set(shelf.catalogue.unsettled)
    decide(shelf.catalogue, listing("iga", "9", "Tim Tam Original", barcode=CODES[0], size="200g"))
    assert (shelf.catalogue.state(), shelf.catalogue.unsettled) == (before, unsettled)


@given(steps, described)
def test_a_link_is_kept_unless_a_barcode_says_otherwise(history, again):
    shelf = run(history)
    before = shelf.catalogue.product_of(again.company, again.sku)
    shelf.described(again.company, again.sku, again.name, brand=again.brand, size=again.size)
    if before is not None:
        assert shelf.catalogue.product_of(again.company, again.sku) == before


@given(steps)
def test_one_company_is_in_a_product_twice_only_by_barcode(history):
    shelf = run(history)
    seen: dict[tuple[object, str], set[str]] = {}
    for row in shelf.catalogue.state().links:
        seen.setdefault((row.product_id, row.company), set()).add(row.sku)
    for (_, company), skus in seen.items():
        if len(skus) > 1:
            rules = {
                event.rule
                for event in shelf.said
                if event.TYPE == "listing-linked" and event.company == company and event.sku in skus
            }
            assert "barcode" in rules or any(event.TYPE == "products-merged" for event in shelf.said)


names = st.sampled_from(
    [
        "Tim Tam Original", "Tim Tam Original Choc Biscuits 200g", "Zero Sugar Cola", "Cola 24 x 375ml", "Peas",
        "Pizza Shapes", "Oat Milk 1L", "Frozen Baby Peas", "Stock Pot", "Stockpot Soup", "70% Dark Chocolate",
        "Dark Chocolate",
    ]
)  # fmt: skip


@given(names, names, st.sampled_from([None, "Arnott's"]), st.sampled_from([None, "Coles"]))
@settings(max_examples=300)
def test_a_comparison_is_mutual(one, other, brand, another):
    left, right = read(one, brand, None), read(other, another, None)
    there, back = compare(left, right), compare(right, left)
    assert (there.forbids, there.weight) == (back.forbids, back.weight)
    assert (there.left, there.right) == (back.right, back.left)


def test_a_state_is_rows():
    assert Catalogue().state() == State((), (), (), (), ())
