"""Names held against each other: real pairs of listings, and why they are one product or not."""

import pytest

from splitcart_ingest.domain.matching import align, alike, compare
from splitcart_ingest.domain.names import read

SAME = [
    (("Old Gold Peppermint Dark Chocolate Block", "Cadbury", "180g"),
     ("Cadbury Old Gold Dark Chocolate Peppermint", "Mondelez Australia Pty Limited", "180g")),
    (("Chunky Soup Stockpot", "Campbell's", "505g"), ("Campbell's Soup Chunky Stock Pot", "Campbell's", "505g")),
    (("Cup A Soup Creamy Potato & Bacon With Croutons 2 Pack", "Continental", "50g"),
     ("Continental Cup A Soup Creamy Potato & Bacon With Croutons", "CONTINENTAL", None)),
    (("Thins Original Potato Chips", "Thins", "175g"), ("Thins Chips Original", "Thins", "175g")),
    (("Morning Fresh Lime Dishwashing Liquid", "Morning Fresh", "900mL"),
     ("Morning Fresh Dishwashing Liquid Lime", "Morning Fresh", "900mL")),
    (("Kleenex 3 Ply Wellbeing Tissues Facial Aloe Vera", "Kleenex", "95 Pack"),
     ("Kleenex Aloe Vera 3 Ply Wellbeing Facial Tissues", "Kleenex", "95 pack")),
    (("Cadbury Roses", "Cadbury", "450g gift box"), ("Cadbury Roses Box", "Cadbury", "450g")),
    (("Coca - Cola Classic", "Coca-cola", "10 x 375mL"), ("Coca-Cola Classic Cans", "Coca-Cola", "375ml x 10")),
    (("Choc Chip Cookies", "Arnott's", "0.31 kg"), ("Arnott's Chocolate Chip Cookies", "Arnotts", "310g")),
    (("Milo Cereal", "Nestle", "700g"), ("Nestle Milo Breakfast Cereal", "Milo", "700g")),
]  # fmt: skip

DIFFERENT = [
    ("size", ("Dark Chocolate Block", "Lindt", "100g"), ("Lindt Dark Chocolate Block", "Lindt", "200g")),
    ("size", ("Cola", "Coca-Cola", "375ml"), ("Cola", "Coca-Cola", "375ml x 24 pack")),
    ("size", ("Toilet Paper", "Quilton", "12 pack"), ("Quilton Toilet Paper", "Quilton", "24 pack")),
    ("brand", ("Full Cream Milk", "Coles", "2L"), ("Full Cream Milk", "Woolworths", "2l")),
    ("brand", ("Iceberg Lettuce", "Wow", "each"), ("Iceberg Lettuce", None, None)),
    ("number", ("Spaghetti No 5", "Barilla", "500g"), ("Spaghetti No 3", "Barilla", "500g")),
    ("number", ("Excellence 90% Cocoa", "Lindt", "100g"), ("Lindt Excellence 78% Cocoa", "Lindt", "100g")),
    ("number", ("A2 Milk", "Dairy Farmers", "2L"), ("Milk", "Dairy Farmers", "2L")),
    ("word", ("Zero Sugar Soft Drink", "Coca-Cola", "1.25L"),
     ("Coca-Cola Vanilla Zero Sugar Soft Drink", "Coca-Cola", "1.25L")),
    ("word", ("Shampoo Daily Moisture", "Dove", "320ml"), ("Dove Conditioner Daily Moisture", "Dove", "320ml")),
    ("word", ("Greek Yoghurt", "Chobani", "907g"), ("Chobani Greek Yogurt Light", "Chobani", "907g")),
    ("word", ("Real Stock Beef", "Campbell's", "1L"), ("Real Stock Beef Salt Reduced", "Campbell's", "1l")),
    ("word", ("Tuna Springwater", "John West", "95g"), ("John West Tuna Olive Oil", "John West", "95g")),
    ("form", ("Tasty Cheese Block", "Bega", "500g"), ("Bega Tasty Cheese Slices", "Bega", "500g")),
    ("variety", ("Chips Original", "Smith's", "170g"), ("Smith's Chips Tasmanian", "Smith's", "170g")),
    ("packaging", ("Favourites Gift Box", "Cadbury", None), ("Cadbury Favourites Share Bag", "Cadbury", None)),
    ("unsized", ("Pure Orange Drink", "Nudie", None), ("Nudie Pure Orange Fizzy Lively Drink", "Nudie", None)),
    ("unbranded", ("Cherries", None, "250g"), ("Cherry Tomatoes 250g", None, "0.25 kg")),
    ("word", ("Drumstick Plant Based Classic Vanilla Ice Cream 4 Pack", "Peters", "476ml"),
     ("Peters Drumstick Ice Cream Vanilla", "Peters", "4 pack")),
    ("brand", ("Milk Chocolate Block 180g", "DAIRY FINE", "180 g"),
     ("Cadbury Dairy Milk Chocolate Block", "Mondelez Australia Pty Limited", "180g")),
    ("weight", ("Hello Immunity Tablets", "Cenovis", "30 pack"), ("Hello Calm Tablets", "Cenovis", "30 pack")),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), SAME)
def test_names_of_one_product(one, other):
    comparison = compare(read(*one), read(*other))
    assert comparison.forbids is None
    assert comparison.weight > 0


@pytest.mark.parametrize(("reason", "one", "other"), DIFFERENT)
def test_names_of_two_products(reason, one, other):
    assert compare(read(*one), read(*other)).forbids == reason
    assert compare(read(*other), read(*one)).forbids == reason


def test_brands_known_to_be_one_do_not_part():
    one, other = read("Basmati Rice Pouch", "Uncle Ben's", "250g"), read("Basmati Rice Pouch", "Tilda", "250g")
    assert compare(one, other).forbids == "brand"
    assert compare(one, other, one_brand=True).same


def test_names_with_nothing_in_common_are_not_one():
    assert not compare(read("!!!", None, "1kg"), read("???", None, "1kg")).same


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("hydrate", "hydrating", True),
        ("cripsbread", "crispbread", True),
        ("sherbert", "sherbet", True),
        ("dishwasher", "dishwashing", True),
        ("pepper", "peppermint", False),
        ("caramel", "caramello", False),
        ("pasta", "paste", False),
        ("steam", "steak", False),
        ("fixx", "fizz", False),
        ("men", "women", False),
    ],
)
def test_words_that_are_alike(one, other, expected):
    assert alike(one, other) is alike(other, one) is expected


def test_words_are_laid_side_by_side():
    found = align(("chunky", "soup", "stock", "pot"), ("soup", "stockpot", "can"))
    assert (found.common, found.left, found.right, found.alike) == (("soup",), ("chunky",), ("can",), 1)
