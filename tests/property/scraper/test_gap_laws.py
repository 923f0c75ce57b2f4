"""What holds of the gap between two requests, whatever a host answers."""

from hypothesis import assume, given
from hypothesis import strategies as st

from splitcart_scraper.domain.gap import Bounds, Sign, next_gap

seconds = st.floats(0, 1_000, allow_nan=False)
bounds = st.tuples(seconds, seconds).map(lambda pair: Bounds(min(pair), max(pair)))
signs = st.sampled_from(Sign)


@given(st.lists(st.tuples(seconds, signs)), seconds, bounds)
def test_it_stays_within_its_bounds(answers: list[tuple[float, Sign]], gap: float, limits: Bounds) -> None:
    for latency, sign in answers:
        gap = next_gap(gap, latency, sign, limits)
        assert limits.least <= gap <= limits.most


@given(seconds, seconds, bounds, st.sampled_from([Sign.ERROR, Sign.ENOUGH]))
def test_no_error_shortens_it(gap: float, latency: float, limits: Bounds, sign: Sign) -> None:
    gap = limits.clamp(gap)
    assert next_gap(gap, latency, sign, limits) >= gap


@given(seconds, seconds, bounds)
def test_enough_lengthens_it_until_it_is_the_longest(gap: float, latency: float, limits: Bounds) -> None:
    gap = limits.clamp(gap)
    after = next_gap(gap, latency, Sign.ENOUGH, limits)
    assert after > gap or after == limits.most
    assert after >= min(2 * gap, limits.most)


@given(seconds, seconds, bounds)
def test_it_comes_to_the_latency_and_stays(gap: float, latency: float, limits: Bounds) -> None:
    for _ in range(200):
        gap = next_gap(gap, latency, Sign.SERVED, limits)
    assert abs(gap - limits.clamp(latency)) < 1e-6


@given(seconds, seconds, bounds)
def test_one_answer_does_not_take_it_past_the_latency(gap: float, latency: float, limits: Bounds) -> None:
    gap, target = limits.clamp(gap), limits.clamp(latency)
    after = next_gap(gap, latency, Sign.SERVED, limits)
    assert min(gap, target) - 1e-9 <= after <= max(gap, target) + 1e-9


@given(seconds, seconds, seconds, bounds, signs)
def test_a_slower_answer_never_makes_it_shorter(
    gap: float, quick: float, slow: float, limits: Bounds, sign: Sign
) -> None:
    assume(quick <= slow)
    assert next_gap(gap, quick, sign, limits) <= next_gap(gap, slow, sign, limits)
