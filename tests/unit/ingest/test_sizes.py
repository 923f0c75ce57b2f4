"""Sizes as companies write them, in the size field and in names."""

import pytest

from splitcart_ingest.domain.agreement import agreement
from splitcart_ingest.domain.normalise import plain
from splitcart_ingest.domain.sizes import Amount, parse, take

# As they stand in the size fields of the four companies (and, below, what no company writes but somebody might).
FIELDS = {
    "500g": "500g",
    "0.5 kg": "500g",
    "0.5kg": "500g",
    ".35g": "0.35g",
    "1.5L": "1500ml",
    "1,000 ml": "1000ml",
    "25GRAM": "25g",
    "2 litre": "2000ml",
    "1 L": "1000ml",
    "300-400g": "300g 400g",
    "500g - 650g": "500g 650g",
    "650g - 1.5kg": "1500g 650g",
    "1kg - 2.5kg": "1000g 2500g",
    "6 x 375ml": "375ml 6pack",
    "4 X 120g": "120g 4pack",
    "2 X7.5ml": "2pack 7.5ml",
    "375mL x 30 case": "30pack 375ml",
    "300ml X4 Pack": "300ml 4pack",
    "350ml x 12": "12pack 350ml",
    "19g x 5 pack": "19g 5pack",
    "6x4x250ml": "24pack 250ml",
    "6x200ml pack": "200ml 6pack",
    "4pk 500g": "4pack 500g",
    "180g 15 pack": "15pack 180g",
    "80 x 3 pack": "3pack 80pack",
    "80 Pack": "80pack",
    "1pk": "",
    "2PACK": "2pack",
    "pack 20": "20pack",
    "110 PAC": "110pack",
    "30pc": "30pack",
    "4ea": "4pack",
    "50 each": "50pack",
    "30 tablets": "30pack",
    "1 dozen": "12pack",
    "12": "12pack",
    "3,060 sheets": "3060sheet",
    "200 page": "200page",
    "60 Metres": "60m",
    "700mm 2 Pack": "0.7m 2pack",
    "450g gift box": "450g",
    "100g block": "100g",
    "1l tub": "1000ml",
    "approx. 300g": "300g",
    "approx.250g": "250g",
    "appox. 100g": "100g",
    "approx. 1.8 kg per package": "1800g",
    "approx. 0.2 kg per piece": "200g",
    "approx. 100g each": "100g",
    "per kg": "perkg",
    "perkg": "perkg",
    "per 125g": "perkg",
    "each": "",
    "1 each": "",
    "1 Bunch": "",
    "1 kit": "",
    "6--8": "",
    "250pg each": "",
    "": "",
    "½ kg": "",
    "0g": "",
    "999999999999kg": "",
    "kg": "",
    "-5g": "5g",
    "5 stars": "",
    "12m+": "",
    "\u0665\u0660\u0660 g": "",
}


@pytest.mark.parametrize(("text", "forms"), FIELDS.items())
def test_a_size_field_has_a_normal_form(text, forms):
    assert " ".join(parse(text).normal_forms) == forms


def test_nothing_is_said_by_no_size():
    assert not parse(None)
    assert not parse("each of them")


@pytest.mark.parametrize(
    ("name", "forms", "rest"),
    [
        (
            "Apple & Blackcurrant Fruit Drink Multipack 250mL",
            "250ml",
            "apple & blackcurrant fruit drink multipack",
        ),
        ("Cup A Soup Creamy Chicken 2 Pack", "2pack", "cup a soup creamy chicken"),
        ("Powerade ION4 Gold Rush", "", "powerade ion4 gold rush"),
        ("L'Oreal Excellence 5.21 L'Oreal", "", "l'oreal excellence 5.21 l'oreal"),
        ("Laundry Liquid 2L 40 Washes", "2000ml 40wash", "laundry liquid"),
        ("Pasta & Sauce Alfredo Serves 3", "3serve", "pasta & sauce alfredo"),
        ("Ginkgo Biloba 2000 Tablets 100's", "100pack 2000pack", "ginkgo biloba"),
        ("Foil 30cm x 10m", "0.3m 10m", "foil x"),
        ("Black Tea 50 Bags 100g", "100g 50pack", "black tea"),
        ("Nappy Pants 6-11 Kg Size 3", "11000g 6000g", "nappy pants size 3"),
        ("Vitamin B12 Spray", "", "vitamin b12 spray"),
        ("7Up Zero 24x375ml Cans", "24pack 375ml", "7up zero cans"),
    ],
)
def test_sizes_are_taken_out_of_names(name, forms, rest):
    sizes, left = take(plain(name))
    assert " ".join(sizes.normal_forms) == forms
    assert " ".join(left.split()) == rest


def test_a_multipack_says_how_much_is_in_one_and_a_mention_does_not():
    assert parse("6 x 40g").amounts == (Amount("g", 40, 40, 6),)
    assert [total.low for total in parse("6 x 40g").totals] == [240]
    assert [total.low for total in parse("6 pack 40g").totals] == [40, 240]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("500g", "0.5 kg", "same"),
        ("199.8g", "200g", "same"),
        ("180g", "165g", "differ"),
        ("6 x 375ml", "375ml x 6 pack", "same"),
        ("6 x 375ml", "2.25L", "same"),
        ("6 x 375ml", "375ml", "differ"),
        ("6 pack 240g", "240g", "same"),
        ("6 pack 240g", "6 x 40g", "same"),
        ("6 pack 240g", "8 pack 240g", "differ"),
        ("4 pack", "160g", "unknown"),
        ("4 pack", "6 pack", "differ"),
        ("50 tablets 1 pack", "50 pack", "same"),
        ("80 x 3 pack", "240 pack", "same"),
        ("500g", "500ml", "differ"),
        ("300-400g", "approx. 350g", "same"),
        ("approx. 1kg", "1.05kg", "same"),
        ("approx. 1kg", "1.5kg", "differ"),
        ("per kg", "500g", "unknown"),
        ("2L 40 washes", "2L", "same"),
        ("2L 40 washes", "2L 20 washes", "differ"),
        (None, "500g", "unknown"),
        ("each", "500g", "unknown"),
    ],
)
def test_sizes_agree_or_do_not(one, other, expected):
    assert agreement(parse(one), parse(other)) == expected
    assert agreement(parse(other), parse(one)) == expected
