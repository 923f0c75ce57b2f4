"""Dollars to cents and back."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitcart_common.money import from_dollars, to_dollars


@pytest.mark.parametrize(
    ("dollars", "cents"),
    [
        ("4.69", 469),
        ("$4.69", 469),
        (" $1,234.50 ", 123450),
        ("0", 0),
        (3, 300),
        (0.1 + 0.2, 30),
        (2.675, 268),
        ("0.005", 1),
        ("0.0049", 0),
        (Decimal("19.995"), 2000),
        ("1e2", 10000),
    ],
)
def test_dollars_become_cents_half_up(dollars, cents):
    assert from_dollars(dollars) == cents


@pytest.mark.parametrize(
    "dollars",
    [
        "",
        "free",
        "4.69 ea",
        "$",
        "-1",
        "-0.001",
        "nan",
        "sNaN",
        "inf",
        float("nan"),
        float("-inf"),
        "1e999999",
        None,
    ],
)
def test_what_is_no_amount_is_refused(dollars):
    with pytest.raises(ValueError, match="is not an amount of dollars"):
        from_dollars(dollars)


@given(st.integers(0, 10**12))
def test_there_and_back(cents):
    assert from_dollars(to_dollars(cents)) == cents


def test_dollars_are_written_with_two_decimals():
    assert [to_dollars(cents) for cents in (0, 5, 469, 123456789)] == ["$0.00", "$0.05", "$4.69", "$1,234,567.89"]
