"""What a word says that only one of two names bears, and how much (docs/identity.md).

The classes were drawn up by hand and corrected by counting: which words alone part two listings that one company
sells side by side, and which words are all that differs between two companies' names for one barcode
(`python -m benchmarks.identity_pairs words`). A word that is listed nowhere is rare: it weighs something.
"""

from collections.abc import Iterable
from typing import Final, Literal

WordClass = Literal["telling", "rare", "hint", "faint", "idle"]

_TELLING: Final = """
acai adzuki aged aioli alfredo almond amber american anchovy angel antiperspirant apple apricot arborio
arrabbiata ash asparagus assam auburn avocado baby bacon baking balsamic balti banana barbecue barista barley
barramundi basil basmati bean bechamel beef beetroot beige bergamot berry black blackberry blackcurrant blonde
blue blueberry bocconcini bold bolognese borlotti bourbon boy boysenberry braised brandy breast brie brine
brioche british broccoli brow brown brownie brut bubblegum bubblemint burgundy burrata burrito butterscotch
cabbage cabernet caesar caffeine caffeinefree cage cajun calamari calcium calrose camellia camembert camomile
cannellini canola caper cappuccino capsicum caramel caramello caramilk carbonara cardamom carrot cashew cashmere
cauliflower cayenne celery chai champagne chardonnay cheddar cheesecake cheesy cherry chestnut chesty chia
chicken chickpea chilli chipotle chive chorizo christma ciabatta cinnamon citrus cleanser clear coconut cod cola
colby coleslaw colour conditioner control copper coral coriander crab creamy crumbed crunchie crunchy crushed
cucumber cumin curly currant curry custard dairyfree decaf decaffeinated deck deep deet demerara diet dijon dill
double dough duck edam egg eggplant elderberry elderflower eucalyptus extra eye farfalle fatfree fennel feta
fetta fettuccine fig filler fish fit flathead focaccia fragrancefree frangipani freerange freesia french fresh
fudge full fusilli garden gardenia garlic gentleman gherkin gin ginger girl gnocchi goat goji gold goreng
gorgonzola gouda grape grapefruit grated green grey grigio ground guacamole guarana guava gummy haloumi ham hard
havarti hazelnut heart herring hibiscus hickory hoisin hoki hokkien hollandaise honey honeycomb horseradish hot
hummus iodised irish irritation ivory jalapeno jasmine jellied jumbo kalamata kale kangaroo kefir ketchup kidney
kimchi king kipper kit kitten kiwi korma lactose lactosefree laksa lamb lasagne lash lather latte lavendar
lavender lean lemon lemonade lemongrass lentil light lime ling linguine linseed lip liver lobster lotus lover low
lozenge lungo lychee macadamia macchiato mackerel madra magnesium magnolia mahogany malbec malt mandarin mango
maple margarita marinara marshmallow masala mascara mascarpone mash mask massaman matcha maternity mayonnaise
meatfree medium melon men menthol merlot milky mince minestrone mint miso mixed mocha mortadella moscato mousse
mozzarella multigrain mushroom musk mussel mustard napoletana navy neapolitan nectarine night no non nougat nude
nut nutmeg odourless off olive onion oolong orange orchid oregano oriental overnight oyster pancetta papaya
paprika parmesan parsley parsnip passata passionfruit pastrami pavlova pea peach pear pecan pecorino peeled penne
peony pepita pepper peppercorn peppermint pepperoni performance peri permanent pesto pine pineapple pink pinot
pinto pistachio pitted pizza plantbased plum pomegranate pork powder prawn proactiv prosciutto prosecco provolone
prune pulp pulpfree pumpkin puppy purple puttanesca quick quince quinoa rabbit radish rainbow raisin ramen ranch
raspberry ravioli raw red reduced refill relax rendang rhubarb ricotta rigatoni risoni risotto ristretto robust
rockmelon roller romano rose rosehip rosemary ruby rum rump rye sage salad salami salmon salsa saltfree
sandalwood sardine satay sauvignon scented scrub seafood seaweed seed semi semillon sensitive serum sesame
shampoo shaved shiraz shredded shrimp silver singapore skim skinny smart smoked smoky smooth softener sour
sourdough soy spaghetti spaghettini spearmint spelt spf spicy spinach spiral sponge sport spreadable springwater
squid sriracha steak stew strawberry streaky strip stroganoff stubble sugar sugarfree sultana sundried sunflower
super sweet swiss syrup szechuan tahini tamarind tandoori tartar tender tequila teriyaki thigh thin thyme tikka
tiramisu toffee toner tonic toothbrush tortellini trail training triple tropical trout truffle tuna turkey
turkish turmeric turning turquoise twin tzatziki udon ultimate ultra unsalted unscented unsweetened uv vanilla
vapour veal vegemite vegetarian venison vermicelli very vindaloo vinegar vintage violet vodka walnut wasabi
watermelon waterproof whiskey white whitefish wholemeal wing wipe yellow yellowfin yuzu zero zinc zucchini
"""

_HINT: Final = """
adult alcoholfree aloe argan asian battered bite bone boneless burger butter can care caring cat cheese chinese
chocolate chunky classic clay cluster coat coffee concentrate cooked cookie cool corn country cracked cracker
cranberry cream dark delight diced dinner dog dry energy english espresso everyday farm farmhouse fast filling
fine flake fruit giant glutenfree golden grain granola greek halve herb high homemade hotdog hydrating hydration
icecream iced indian infant intense intensive italian japanese junior kid korean large leek long marinated meat
mexican milk mineral mini moroccan muffin multi natural newborn oat oil organic original pastry peanut pie piece
plant plus power premium pressed pro pudding range refreshing regular repair rice rich roll round salt salted
sausage senior short side skinless slice sliced small smoothing soft spanish sparkling square squeeze still
straight strength strong taco tasmanian tasty thai toasted toddler tomato top topping traditional uht vegan
vegetable vera volume water wet whitening whole women yoghurt
"""

_FAINT: Final = """
action active all assorted atlantic aussie australian authentic baked bar base beanz beer big bit blended
bodyspray bottle bowl boxed capsule chewable chilled clean club cold cooking crispbread daily deli deluxe dish
dressing drink easy edition effervescent fajita family fancy female filled fillet finest finishing fluoride food
fragrant free front fun gentle gift gravy hair healthy hearty homestyle immune incontinence instant juice less
loader loose lotion mild multipack noodle normal nourishing nutritional oven pack pad pair party plain porridge
portion pouch protect protein pure relief roasted rolled sandwich sanitary sensation serve shower simmer single
snacking soup speciality specialty spray spread squeezy standard stick superb tablet thick throat tortilla total
touch tray virgin wash washing wine
"""

_IDLE: Final = """
added advanced aerosol air antibacterial bag baker bakery bathroom best beverage biscuit block body box bread
breakfast bulk bun cake candy canned carton case cereal chip cleaner cleaning cleansing collection complete
confectionery cook crisp crispy cup cut dairy delicious deodorant dessert detergent dip dried face facial
favourite flavoured formula fragrance freshener frozen gel good gourmet great hand health home house jar just
kitchen laundry lightly limited liner liquid loaf lolly lunch lunchbox luxury made meal mega microwavable
microwave microwaveable mix moisturiser moisturising mouthwash muesli multivitamin nappy new packet paper pasta
paste perfect perfumed pet pot potato prepack prepacked prepared probiotic product protection punnet purpose
quality ready real recipe remover resealable sachet sauce seasoning selection share sharepack sheet signature
simply size skin snack soap stain steam steamed stock supplement support surface tampon tea tin tissue toilet
toothpaste tub tube value vitamin wholegrain wrap
"""

_DEFAULT: Final = "original traditional regular plain normal standard"

_PACKAGING: Final = """
bag bar block bottle box bulk can canned carton cup family fun gift giant jar jumbo large mini multipack pack
packet party pouch punnet sachet share sharepack single size small stick tin tray tub tube twin value case
"""

_TELLS_UNSIZED: Final = "sharepack multipack bulk fun giant"

_FORMS: Final = tuple(
    frozenset(group.split())
    for group in (
        "slice sliced shredded grated block spread",
        "ground bean capsule pod instant",
        "liquid powder gel spray aerosol tablet wipe cream lotion",
        "soup sauce",
        "dark milk",
        "cleaner block",
        "can bottle",
    )
)

WEIGHTS: Final[dict[WordClass, float]] = {
    "idle": 0.0,
    "faint": 0.5,
    "hint": 1.0,
    "rare": 1.4,
    "telling": 4.0,
}


def _classes() -> dict[str, WordClass]:
    listed: tuple[tuple[str, WordClass], ...] = (
        (_IDLE, "idle"), (_FAINT, "faint"), (_HINT, "hint"), (_TELLING, "telling"),
    )  # fmt: skip
    return {word: word_class for words, word_class in listed for word in words.split()}


_CLASSES: Final = _classes()
LISTED: Final = frozenset(_CLASSES)
"""The words that have a class of their own."""
_DEFAULTS: Final = frozenset(_DEFAULT.split())
_PACKAGINGS: Final = frozenset(_PACKAGING.split())
_TELLING_UNSIZED: Final = frozenset(_TELLS_UNSIZED.split())


def class_of(word: str) -> WordClass:
    """The class of a plain word."""
    return _CLASSES.get(word, "rare")


def weight_of(word: str) -> float:
    """How much a word that only one name bears speaks against the two being one product."""
    return WEIGHTS[class_of(word)]


def is_known(word: str) -> bool:
    """Whether a word is listed, and so no misspelling of another."""
    return word in LISTED


def is_default(word: str) -> bool:
    """Whether a word names the plain variety, as against any other."""
    return word in _DEFAULTS


def of_packaging(words: Iterable[str]) -> bool:
    """Whether any of the words says how it is packed."""
    return not _PACKAGINGS.isdisjoint(words)


def tells_when_unsized(words: Iterable[str]) -> bool:
    """Whether any of the words stands for a size of its own."""
    return not _TELLING_UNSIZED.isdisjoint(words)


def other_form(left: Iterable[str], right: Iterable[str]) -> bool:
    """Whether the words name two forms of one thing: sliced and grated, ground and beans."""
    return any(not form.isdisjoint(left) and not form.isdisjoint(right) for form in _FORMS)
