"""Sizes: how much is in it and how many of it, from the size a company gives and from what is left in its names.

A small grammar, production by production, the longest first; each takes its part out of the text, so that what is
left of a name is words. Mass is counted in grams, volume in millilitres, length in metres. Nothing that cannot be
read is an error: a size is a hint, and junk says nothing.

| text | amounts | packs | normal forms |
|---|---|---|---|
| `0.5kg` | 500 g | | `500g` |
| `1.5l` | 1500 ml | | `1500ml` |
| `300-400g` | 300 to 400 g | | `300g` `400g` |
| `6 x 375ml`, `375ml x 6 pack` | 6 times 375 ml | 6 | `375ml` `6pack` |
| `4pk 500g` | 500 g, whether each or in all is not said | 4 | `4pack` `500g` |
| `approx. 1.5kg each` | 1500 g, about | | `1500g` |
| `per kg` | sold by weight | | `perkg` |
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from splitcart_ingest.domain.normalise import plain

Dimension = Literal["g", "ml", "m"]

_UNITS: Final[dict[str, tuple[Dimension, float]]] = {
    **dict.fromkeys(("g", "gm", "gms", "gr", "gram", "grams"), ("g", 1.0)),
    **dict.fromkeys(("kg", "kgs", "kilo", "kilos", "kilogram", "kilograms"), ("g", 1000.0)),
    **dict.fromkeys(("ml", "mls", "millilitre", "millilitres"), ("ml", 1.0)),
    "cl": ("ml", 10.0),
    **dict.fromkeys(("l", "lt", "ltr", "ltrs", "litre", "litres", "liter", "liters"), ("ml", 1000.0)),
    "mm": ("m", 0.001),
    "cm": ("m", 0.01),
    **dict.fromkeys(("m", "mt", "mtr", "metre", "metres", "meter", "meters"), ("m", 1.0)),
}
_PACK_WORDS: Final = (
    "packs?|pac|pk|pks|pkt|pkts|packets?|pcs?|pieces?|pce|tablets?|tabs?|capsules?|caps|caplets?|sachets?|"
    "(?:tea ?)?bags|rolls?|wipes|bars|pads|tampons|nappies|nappy pants|pods|sticks|slices|cans|bottles|cartons?|"
    "case|lozenges|gummies|eggs|serviettes|tissues|liners|refills?|pouches|pastilles|softgels|patches|count|ct|ea|"
    "sets?|pairs?|bunch|each"
)
_OTHER_WORDS: Final = {
    **dict.fromkeys(("wash", "washes", "load", "loads"), "wash"),
    **dict.fromkeys(("sheet", "sheets"), "sheet"),
    **dict.fromkeys(("serve", "serves", "serving", "servings"), "serve"),
    **dict.fromkeys(("page", "pages"), "page"),
}

_NUM: Final = r"(?<![\d.,/a-wyz])(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d*\.\d+|\d+)"
_END: Final = r"(?![\w'+])"
_ANY_UNIT: Final = "|".join(sorted(_UNITS, key=len, reverse=True))
_UNIT: Final = rf"({_ANY_UNIT})"
_MANY: Final = rf"-?\s*(?:{_PACK_WORDS}){_END}"
_X: Final = r"\s*[x*]\s*"
_MOST: Final = 1_000_000
"""Beyond a tonne, a thousand litres or a million pieces a number is not a size."""


@dataclass(frozen=True, slots=True)
class Amount:
    """So much of it: `low` to `high` g, ml or m in one of `times`; times 1 does not say that there is only one."""

    dimension: Dimension
    low: float
    high: float
    times: int = 1


class Total(NamedTuple):
    """One way to read a size: so many, or None if that is not said, and so much in all."""

    dimension: Dimension
    times: int | None
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Sizes:
    """All that a text says of size, each part in the order of the grammar.

    `packs`: how many, as written. `others`: counts of another kind (washes, sheets). `about`: the amount is not
    exact. `loose`: sold by weight, so that an amount is no size of the product. `totals`: every way to read it.
    """

    amounts: tuple[Amount, ...] = ()
    packs: tuple[int, ...] = ()
    others: tuple[tuple[str, int], ...] = ()
    about: bool = False
    loose: bool = False
    totals: tuple[Total, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        counts = [count for count in self.packs if count > 1]
        totals = (total for amount in self.amounts for total in _readings(amount, counts))
        object.__setattr__(self, "totals", tuple(totals))

    @property
    def normal_forms(self) -> tuple[str, ...]:
        """What goes into a name key: sorted, unique, equal for equal sizes however they are written."""
        forms = {f"{count}pack" for count in self.packs if count > 1}
        forms |= {f"{count}{kind}" for kind, count in self.others}
        for amount in self.amounts:
            forms |= {_written(amount.low) + amount.dimension, _written(amount.high) + amount.dimension}
        if self.loose:
            forms.add("perkg")
        return tuple(sorted(forms))

    def __bool__(self) -> bool:
        return bool(self.amounts or self.packs or self.others or self.loose)

    def __add__(self, other: "Sizes") -> "Sizes":
        """Both texts' words on size, each thing once."""
        if not other:
            return self
        return Sizes(
            tuple(dict.fromkeys(self.amounts + other.amounts)),
            tuple(dict.fromkeys(self.packs + other.packs)),
            tuple(dict.fromkeys(self.others + other.others)),
            self.about or other.about,
            self.loose or other.loose,
        )


def _readings(amount: Amount, counts: list[int]) -> list[Total]:
    """`6 x 40g` is 240 g and nothing else; `6 pack 240g` may be 240 g in all or of each."""
    dimension, low, high = amount.dimension, amount.low, amount.high
    if amount.times > 1:
        return [Total(dimension, amount.times, low * amount.times, high * amount.times)]
    if not counts:
        return [Total(dimension, None, low, high)]
    return [Total(dimension, count, low * n, high * n) for count in counts for n in (1, count)]


NO_SIZE: Final = Sizes()


class _Reader:
    """What the productions have found so far."""

    def __init__(self) -> None:
        self._amounts: list[Amount] = []
        self._packs: list[int] = []
        self._others: list[tuple[str, int]] = []
        self._about = self._loose = False

    def sizes(self) -> Sizes:
        return Sizes() + Sizes(
            tuple(self._amounts), tuple(self._packs), tuple(self._others), self._about, self._loose
        )

    def sold_by_weight(self, _: re.Match[str]) -> str:
        self._loose = True
        return " "

    def roughly(self, _: re.Match[str]) -> str:
        self._about = True
        return " "

    def cartons(self, found: re.Match[str]) -> str:
        """6 x 4 x 250 ml."""
        outer, inner, number, unit = found.groups()
        return self._amount(number, number, unit, int(outer) * int(inner))

    def between(self, found: re.Match[str]) -> str:
        """300-400 g, 650 g - 1.5 kg."""
        low, low_unit, high, unit = found.groups()
        return self._amount(low, high, unit, low_unit=low_unit)

    def times_amount(self, found: re.Match[str]) -> str:
        """6 x 375 ml."""
        times, number, unit = found.groups()
        return self._amount(number, number, unit, int(times))

    def amount_times(self, found: re.Match[str]) -> str:
        """375 ml x 6."""
        number, unit, times = found.groups()
        return self._amount(number, number, unit, int(times))

    def single(self, found: re.Match[str]) -> str:
        number, unit = found.groups()
        return self._amount(number, number, unit)

    def packs(self, found: re.Match[str]) -> str:
        for number in found.groups():
            self._count(int(number))
        return " "

    def dozens(self, found: re.Match[str]) -> str:
        self._count(int(found[1]) * 12)
        return " "

    def other(self, found: re.Match[str]) -> str:
        self._others.append((_OTHER_WORDS[found[2]], int(found[1].replace(",", ""))))
        return " "

    def serves(self, found: re.Match[str]) -> str:
        self._others.append(("serve", int(found[1])))
        return " "

    def _amount(self, low: str, high: str, unit: str, times: int = 1, low_unit: str | None = None) -> str:
        dimension, factor = _UNITS[unit]
        least = round(float(low.replace(",", "")) * _UNITS[low_unit or unit][1], 4)
        most = round(float(high.replace(",", "")) * factor, 4)
        if not 0 < least <= most <= _MOST or not 0 < times <= _MOST:
            return " "
        self._amounts.append(Amount(dimension, least, most, times))
        if times > 1:
            self._count(times)
        return " "

    def _count(self, count: int) -> None:
        if 0 < count <= _MOST:
            self._packs.append(count)


_GRAMMAR: Final[tuple[tuple[re.Pattern[str], Callable[[_Reader, re.Match[str]], str]], ...]] = tuple(
    (re.compile(pattern), read)
    for pattern, read in (
        (rf"\bper\s*(?:[\d.]+\s*)?(?:{_ANY_UNIT})\b", _Reader.sold_by_weight),
        (r"\bper (?:package|piece|pack|item)\b", _Reader.roughly),
        (r"\b(?:appr?ox(?:imately)?|min(?:imum)?|average|avg)\b\s*\.?\s*(?=[\d.])", _Reader.roughly),
        (rf"(?<![\d.,/a-wyz])(\d+){_X}(\d+){_X}{_NUM}\s*{_UNIT}{_END}", _Reader.cartons),
        (rf"{_NUM}\s*{_UNIT}?\s*(?:--?|to)\s*{_NUM}\s*{_UNIT}{_END}", _Reader.between),
        (rf"(?<![\d.,/a-wyz])(\d+){_X}{_NUM}\s*{_UNIT}{_END}", _Reader.times_amount),
        (rf"{_NUM}\s*{_UNIT}{_X}(\d+)(?![\d.,])(?!\s*(?:{_ANY_UNIT}){_END})(?:\s*{_MANY})?", _Reader.amount_times),
        (rf"{_NUM}\s*{_UNIT}(?=x\d|{_END})", _Reader.single),
        (r"(?<![\d.,/a-wyz])(\d+)\s*dozen\b", _Reader.dozens),
        (rf"(?<![\d.,/a-wyz])(\d+){_X}(\d+)\s*{_MANY}", _Reader.packs),
        (rf"(?<![\d.,/a-wyz])(\d+)\s*{_MANY}", _Reader.packs),
        (r"\bpacks? (?:of )?(\d+)(?![\d.,%])\b", _Reader.packs),
        (r"(?<![\d.,/a-z-])(\d+)'?s(?![\w'])", _Reader.packs),
        (rf"{_NUM}\s*-?\s*({'|'.join(_OTHER_WORDS)})\b", _Reader.other),
        (r"\bserves (\d+)(?:-\d+)?\b", _Reader.serves),
    )
)  # fmt: skip


def _written(number: float) -> str:
    return f"{number:.4f}".rstrip("0").rstrip(".")


@lru_cache(maxsize=32_768)
def parse(text: str | None) -> Sizes:
    """What a company's size field says; nothing for None and for junk."""
    if text is None:
        return NO_SIZE
    sizes, rest = take(plain(text))
    if not sizes and (bare := re.fullmatch(r"\s*([1-9]\d{0,3})\s*", rest)):
        return Sizes(packs=(int(bare[1]),))  # IGA writes "12" of a dozen eggs
    return sizes


def take(text: str) -> tuple[Sizes, str]:
    """The sizes in a plain text, and the text without them."""
    if not any(map(str.isdigit, text)) and "per" not in text:
        return NO_SIZE, text
    reader = _Reader()
    for pattern, read in _GRAMMAR:
        text = pattern.sub(lambda found, read=read: read(reader, found), text)  # type: ignore[misc]
    return reader.sizes(), text
