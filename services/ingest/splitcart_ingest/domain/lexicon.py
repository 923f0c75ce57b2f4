"""The words of the shelf: spellings that are one word."""

from typing import Final

_ONE_WORD: Final = """
aerosol: aero aersol
aluminium: aluminum
antibacterial: antibac
assorted: asst asstd assort assortment
barbecue: bbq barbeque barbq
bicarbonate: bicarb
black: blk
brownie: brownies
capsule: cap caplet softgel
centre: center
chicken: chkn chic chick
chilli: chili chilly
chocolate: choc choco choccy chocolatey choclate chocolates
coca cola: coke
colour: color
conditioner: cond
cookie: cookies cooky
cream: creme
creamed: cremed
creamy: creamier
dairyfree: df
deodorant: deo
doughnut: donut
extra: xtra
extra large: xl
fibre: fiber
flavoured: flavour flavor flavored flav flavouring
glutenfree: gf
grey: gray
hummus: hommus hommous hoummous houmous hoummos humus hummous
jalapeno: jalapenos
kid: kids
large: lge lrg
light: lite
liquorice: licorice
lolly: lollies
low: lo
macaroni: mac
mayonnaise: mayo
medium: med
men: mens
mild: mld
milk: mlk
moisturiser: moisturizer
moisturising: moisturizing
multivitamin: multivit
natural: nat naturally
night: nite
omelette: omelet
organic: org
original: orig
parmesan: parmigiano
peanut: pnut
pie: pies
probiotic: probiotics
regular: reg
roasted: roast rst
sauce: sce
sausage: snag
savoury: savory
small: sml
smoked: smokd
smoky: smokey
smoothie: smoothies
soft drink: softdrink
spaghetti: spag
strawberry: strawb strawberries
sulphate: sulfate
tablet: tab
tomato: tom tomatoes
toothpaste: tpaste
traditional: trad traditonal
unflavoured: unflav
vegetable: veg vege veges veggie veggies vegie vegies
vegetarian: vego
vitamin: vit
washing up: washup
white: wht
whitening: whiten
wholegrain: wholegrains
wholemeal: wmeal
women: womens woman
1: one
2: two
3: three
4: four
5: five
6: six
7: seven
8: eight
9: nine
10: ten
12: twelve
yoghurt: yogurt yoghurts yogurts yog yoghourt
"""

_NO_WORD: Final = """
100% a an and at by each for from in its n null of on or our s style the to type varieties variety w with x your
"""


def _same_words() -> dict[str, str]:
    table = dict.fromkeys(_NO_WORD.split(), "")
    for line in _ONE_WORD.strip().splitlines():
        word, _, spellings = line.partition(":")
        table |= dict.fromkeys(spellings.split(), word)
    return table


SAME_WORDS: Final = _same_words()
"""A word as it is spelled -> as it is compared; nothing for a word that says nothing."""
