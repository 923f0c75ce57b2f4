"""What names say: words, numbers, brands, keys."""

import pytest

from splitcart_ingest.domain.brands import brand_of
from splitcart_ingest.domain.names import plain_word, read, singular
from splitcart_ingest.domain.normalise import compact, plain, words
from splitcart_ingest.domain.wordclasses import LISTED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Nestl\u00e9 Milo", "nestle milo"),
        ("GREEN&#039;S  Cake", "green's cake"),
        ("L\u2019Or&eacute;al", "l'oreal"),
        ("6 \u00d7 375ml", "6 x 375ml"),
        ("\u8212\u9002\u5200\u7247 Blade", "blade"),
        ("Fun \U0001f389 Mix", "fun mix"),
        ("\u00bd price", "1/2 price"),
        ("", ""),
    ],
)
def test_texts_become_plain(text, expected):
    assert plain(text) == expected
    assert plain(plain(text)) == plain(text)


def test_words_are_without_marks_but_those_of_numbers():
    assert words("arnott's tim-tam, 1.5 m. & 70% (dark) +b") == (
        *("arnotts", "tim", "tam", "1.5", "m", "and", "70%", "dark", "and", "b"),
    )


def test_brands_that_differ_in_marks_are_one():
    assert compact("Coca - Cola") == compact("coca-cola") == "cocacola"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Arnott's", "arnotts"),
        ("ARNOTTS", "arnotts"),
        ("Mondelez Australia Pty Limited", None),
        ("HEINZ WATTIE&#039;S LIMITED", None),
        ("GENERAL MILLS IBERICA S.A.U", None),
        ("MAICAP UNIT TRUST", None),
        ("Lee Kum Kee Co. Ltd", None),
        ("The Happy Snack Company", "thehappysnackcompany"),
        ("Community Co", "communityco"),
        ("\u8212\u9002\u5200\u7247(\u5e7f\u5dde)\u6709\u9650\u516c\u53f8", None),
        ("", None),
        (None, None),
    ],
)
def test_a_supplier_is_no_brand(text, key):
    assert brand_of(text)[0] == key


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("biscuits", "biscuit"),
        ("berries", "berry"),
        ("boxes", "box"),
        ("peaches", "peach"),
        ("tomatoes", "tomato"),
        ("swiss", "swiss"),
        ("citrus", "citrus"),
        ("gas", "gas"),
    ],
)
def test_plurals(word, expected):
    assert singular(word) == expected


# Real listings: name, brand, size -> key.
KEYS = [
    ("Arnott's Tim Tam Chewy Caramel", "Arnott's", "175g", "175g arnott caramel chewy tam tim"),
    ("Tim Tam Chewy Caramel Biscuits", "Arnott's", "175g", "175g arnott biscuit caramel chewy tam tim"),
    ("Cadbury Twirl", "Mondelez Australia Pty Limited", "39g", "39g cadbury twirl"),
    ("Sakata Rice Crackers Plain", "Sakata", "100g", "100g cracker plain rice sakata"),
    ("Kleenex 3 Ply Wellbeing Tissues", "Kleenex", "95 Pack", "3ply 95pack kleenex tissue wellbeing"),
    ("Strawberry Yogurt 6 x 100g", None, None, "100g 6pack strawberry yoghurt"),
    ("Huggies Nappies Size 4 (10-15kg)", "Huggies", "36 pack", "10to15kgchild 36pack 4 huggy nappy size"),
    ("Oral-B 2 in 1 Soft BBQ", None, "each", "2in1 b barbecue oral soft"),
    ("97% Fat Free Ham", "Don", "approx. 100g", "100g 97% don fatfree ham"),
    ("Nivea Sun SPF 50+ Lotion", "Nivea", "200ml", "200ml 50spf lotion nivea sun"),
    ("Fish Oil 1000 mg 400 Capsules", "Blackmores", None, "1000mg 400pack blackmore fish oil"),
    ("No.5 Spaghetti", "Barilla", "500g", "5 500g barilla spaghetti"),
    ("Free Range Eggs No Added Hormones 12 Pack", None, "700g", "12pack 700g added egg freerange hormone no"),
    ("!!!", None, None, ""),
]


@pytest.mark.parametrize(("name", "brand", "size", "key"), KEYS)
def test_name_keys(name, brand, size, key):
    assert read(name, brand, size).key == key


def test_a_key_does_not_depend_on_order_spelling_or_where_the_brand_stands():
    keys = {
        read("Chocolate Milk Block", "Cadbury", "0.18kg").key,
        read("Cadbury Milk Choc Blocks", None, "180 g").key,
        read("BLOCK, milk chocolate (180g)", "CADBURY", None).key,
    }
    assert len(keys) == 1


def test_listed_words_are_listed_as_names_are_read():
    """Else one has no say: a plural, or an abbreviation that is written out before."""
    assert [word for word in LISTED if plain_word(word) != (word,)] == []


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("freshmint", ("fresh", "mint")),
        ("bodywash", ("body", "wash")),
        ("chocmint", ("chocolate", "mint")),
        ("peppermint", ("peppermint",)),
        ("doughnut", ("doughnut",)),
        ("xylophone", ("xylophone",)),
    ],
)
def test_compounds_of_listed_words_are_read_apart(word, parts):
    assert plain_word(word) == parts
