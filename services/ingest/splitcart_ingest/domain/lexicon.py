"""The words of the shelf: spellings that are one word."""

from typing import Final

_ONE_WORD: Final = """
10: ten
12: twelve
1: one
2: two
3: three
4: four
5: five
6: six
7: seven
8: eight
9: nine
aerosol: aero aersol
aluminium: aluminum
antibacterial: antibac
assorted: asst asstd assort assortment
barbecue: bbq barbeque barbq
bicarbonate: bicarb
black: blk
bolognese: bolognaise
brownie: brownies
camomile: chamomile
capsule: cap caplet softgel
centre: center
chicken: chkn chic chick
chilli: chili chilly
chocolate: choc choco choccy chocolatey choclate chocolates
chunky: chunk chunks
coca cola: coke
colour: color
conditioner: cond
cookie: cookies cooky
cream: creme
creamed: cremed
creamy: creamier
crunchy: crunch
dairyfree: df
deodorant: deo
doughnut: donut
extra large: xl
extra: xtra
fettuccine: fettucine fettuccini
fibre: fiber
flavoured: flavour flavor flavored flav flavouring
glutenfree: gf
grey: gray
haloumi: halloumi
hummus: hommus hommous hoummous houmous hoummos humus hummous
jalapeno: jalapenos
kid: kids
large: lge lrg
lasagne: lasagna
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
pappadum: pappadam papadum
parmesan: parmigiano
peanut: pnut
pie: pies
probiotic: probiotics
regular: reg
roasted: roast rst
sauce: sce
sausage: snag
savoury: savory
sensitive: sensitivity
sherbet: sherbert
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
turmeric: tumeric
unflavoured: unflav
vegetable: veg vege veges veggie veggies vegie vegies
vegetarian: vego
vita gummy: vitagummy vitagummies
vitamin: vit
washing up: washup
whiskey: whisky
white: wht
whitening: whiten
wholegrain: wholegrains
wholemeal: wmeal
women: womens woman
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
