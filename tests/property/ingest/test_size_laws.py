"""Laws of sizes and names: whatever is written, and however."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitcart_ingest.domain.agreement import agreement
from splitcart_ingest.domain.names import read
from splitcart_ingest.domain.normalise import compact, plain, words
from splitcart_ingest.domain.sizes import parse, take

NUMBERS = st.decimals(min_value="0.01", max_value=999, places=2).map(lambda n: f"{n:f}")
UNITS = st.sampled_from(["g", "kg", "ml", "l", "L", " g", " Kg", "m", "cm"])
COUNTS = st.integers(2, 500)
TEXTS = st.text(max_size=60) | st.lists(
    st.sampled_from(
        ["6", "x", "375ml", "1.5", "kg", "-", "400g", "pack", "per", "approx.", "12", "each", "½", "pk", ".5l"]
    ),
    max_size=8,
).map(" ".join)


@given(TEXTS)
def test_anything_can_be_read(text):
    sizes = parse(text)
    assert list(sizes.normal_forms) == sorted(set(sizes.normal_forms))
    for amount in sizes.amounts:
        assert 0 < amount.low <= amount.high
        assert amount.times >= 1
    assert all(count > 0 for count in sizes.packs)
    _, rest = take(plain(text))
    assert len(words(rest)) <= len(words(plain(text)))


@given(TEXTS)
def test_normal_forms_are_their_own_normal_forms(text):
    forms = parse(text).normal_forms
    again = {form for one in forms for form in parse(one).normal_forms}
    assert again == set(forms)


@given(NUMBERS, UNITS)
def test_how_an_amount_is_written_does_not_matter(number, unit):
    written = parse(f"{number}{unit}")
    assert written.normal_forms == parse(f"{number} {unit.strip().upper()}").normal_forms
    assert written.normal_forms == parse(f"approx. {number}{unit} each").normal_forms
    (amount,) = written.amounts
    factor = {"g": 1, "kg": 1000, "ml": 1, "l": 1000, "m": 1, "cm": 0.01}[unit.strip().lower()]
    assert amount.low == pytest.approx(float(number) * factor, abs=1e-4)


@given(COUNTS, st.integers(1, 2000), st.sampled_from(["g", "ml"]))
def test_multipacks_read_the_same_either_way_round(count, amount, unit):
    one, other = parse(f"{count} x {amount}{unit}"), parse(f"{amount} {unit} X{count} Pack")
    assert one.normal_forms == other.normal_forms
    assert agreement(one, other) == "same"
    assert agreement(one, parse(f"{count * amount}{unit}")) == "same"
    assert agreement(one, parse(f"{amount}{unit}")) == "differ"


@given(st.integers(1, 900), st.integers(1, 900))
def test_ranges_keep_both_ends(low, more):
    sizes = parse(f"{low}-{low + more}g")
    assert set(sizes.normal_forms) == {f"{low}g", f"{low + more}g"}
    assert agreement(sizes, parse(f"{low + more // 2}g")) == "same"


@given(TEXTS, TEXTS)
def test_agreement_is_mutual(one, other):
    assert agreement(parse(one), parse(other)) == agreement(parse(other), parse(one))


@given(TEXTS)
def test_a_size_never_differs_from_itself(text):
    assert agreement(parse(text), parse(text)) != "differ"


WORDS = st.sampled_from(
    [
        "arnotts",
        "tim",
        "tam",
        "original",
        "choc",
        "biscuits",
        "zero",
        "2in1",
        "spf50",
        "70%",
        "a2",
        "l'oreal",
        "&",
        "500g",
    ]
)
NAMES = st.lists(WORDS, max_size=8).map(" ".join) | st.text(max_size=40)


@given(NAMES, st.none() | NAMES, st.none() | TEXTS)
def test_any_name_has_a_key_that_does_not_depend_on_case_or_order(name, brand, size):
    reading = read(name, brand, size)
    assert reading.key == " ".join(sorted(set(reading.key.split())))
    assert read(plain(name), brand, size).key == reading.key
    assert reading.brand is None or reading.brand == compact(brand or "")
    assert not reading.numbers & set(reading.words)


@given(
    st.lists(
        st.sampled_from(["arnotts", "tim", "tam", "chocolate", "biscuits", "yoghurt"]), min_size=1, unique=True
    ),
    st.data(),
)
def test_word_order_does_not_matter(chosen, data):
    shuffled = data.draw(st.permutations(chosen))
    assert read(" ".join(chosen), None, "200g").key == read(" ".join(shuffled), None, "0.2kg").key
