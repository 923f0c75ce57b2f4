"""Labelled pairs for identity, from the barcodes of real listings; and what single words are worth.

    python -m benchmarks.identity_pairs pairs --data DIR     # writes tests/fixtures/identity/{look,judge}.jsonl.gz
    python -m benchmarks.identity_pairs words --data DIR     # counts, for domain/wordclasses.py

DIR holds `{coles,woolworths,iga}_products.jsonl`, one listing a line: company, sku, name, brand, size, barcode,
source, scraped_date, date_kind.

**Pairs.** Label 1: two companies' listings with one barcode. Label 0, the hard ones: a listing and, of what
another company that sells its barcode too has, the three most similar names of the same brand under other
barcodes. That the other company sells both side by side proves them two products; so both must have been seen on
a shelf by one source within two months (barcodes change when a pack is relaunched), and not under word for word
the same name.

**Halves.** By a hash of the barcode, a quarter of all barcodes is `judge`: what the rules get wrong there is never
looked at, it only gives the figures. The rest is `look`, to find out from.

**Words.** Within one company two listings of one brand and size that differ by one word are two products: that
word tells. Between companies the one word by which a pair of `look` differs, or the only pair of such listings
that are each other's best, says nothing. `judge` barcodes are left out of both.
"""

import argparse
import gzip
import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

from rapidfuzz import fuzz

from splitcart_ingest.domain.agreement import agreement
from splitcart_ingest.domain.matching import align
from splitcart_ingest.domain.names import Reading, read
from splitcart_ingest.domain.wordclasses import class_of

Row = dict[str, Any]

COMPANIES = ("coles", "woolworths", "iga")
TO = Path("tests/fixtures/identity")
SEED = "splitcart "
NEGATIVES = 3
SIDE_BY_SIDE_DAYS = 62
WORDS = re.compile(r"[a-z0-9]+")


def listings(data: Path) -> list[Row]:
    """All listings, by company in the order of the files."""
    return [json.loads(line) for c in COMPANIES for line in (data / f"{c}_products.jsonl").open(encoding="utf-8")]


def half(barcode: str) -> str:
    """Which half a barcode is in."""
    return "judge" if hashlib.blake2b((SEED + barcode).encode()).digest()[0] & 3 == 3 else "look"


def words(text: str | None) -> frozenset[str]:
    """The words of a text as it is written: no rule of identity has a say in what is compared here."""
    return frozenset(WORDS.findall((text or "").lower().replace("'", ""))) - {"and"}


def brand(row: Row) -> str:
    """A brand without its marks."""
    return "".join(WORDS.findall((row["brand"] or "").lower()))


def full_name(row: Row) -> str:
    """Name with brand, as one text."""
    name = (
        row["name"]
        if brand(row) in "".join(WORDS.findall(row["name"].lower()))
        else f"{row['brand']} {row['name']}"
    )
    return " ".join(WORDS.findall(name.lower().replace("'", "").replace("&", " and ")))


def side_by_side(one: Row, other: Row) -> bool:
    """Whether one source saw both on the shelf at about the same time."""
    days = (date.fromisoformat(one["scraped_date"]) - date.fromisoformat(other["scraped_date"])).days
    seen = one["date_kind"] == other["date_kind"] == "scraped" and one["source"] == other["source"]
    return seen and abs(days) <= SIDE_BY_SIDE_DAYS


def word_for_word(one: Row, other: Row) -> bool:
    """Whether two are called the same: then another barcode says little."""
    names, rest = (words(one["name"]), words(other["name"])), (words(one["brand"]), words(other["brand"]))
    return names[0] == names[1] or names[0] - rest[0] == names[1] - rest[1]


def positives(rows: Iterable[Row]) -> Iterator[tuple[Row, Row]]:
    """Pairs under one barcode."""
    by_barcode: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["barcode"]:
            by_barcode[row["barcode"]].append(row)
    for _, sold in sorted(by_barcode.items()):
        yield from combinations(sold, 2)


def negatives(rows: Iterable[Row]) -> Iterator[tuple[Row, Row]]:
    """For each listing under a shared barcode the hardest of what the other company sells beside it."""
    rows = [row for row in rows if row["barcode"] and brand(row)]
    shelf: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        shelf[row["company"], brand(row)].append(row)
    found = [pair for ordered in map(permutations, ([a, b] for a, b in positives(rows))) for pair in ordered]
    for ours, theirs in found:
        likely = [
            row
            for row in shelf[theirs["company"], brand(theirs)]
            if row["barcode"] != ours["barcode"]
            and half(row["barcode"]) == half(ours["barcode"])
            and side_by_side(row, theirs)
            and not word_for_word(row, theirs)
            and not word_for_word(row, ours)
        ]
        likely.sort(key=lambda row: (-fuzz.token_set_ratio(full_name(ours), full_name(row)), row["sku"]))
        yield from ((ours, row) for row in likely[:NEGATIVES])


def write_pairs(data: Path) -> None:
    """Write both halves."""
    rows = listings(data)
    lines: dict[str, dict[frozenset[tuple[str, str]], str]] = {"look": {}, "judge": {}}
    for label, pairs in ((1, positives(rows)), (0, negatives(rows))):
        for a, b in pairs:
            key = frozenset(((a["company"], a["sku"]), (b["company"], b["sku"])))
            sides = {
                f"{side}_{field}": row[field].lower() if field == "company" else row[field]
                for side, row in (("a", a), ("b", b))
                for field in ("company", "name", "brand", "size")
            }
            lines[half(a["barcode"])].setdefault(key, json.dumps({**sides, "label": label}, ensure_ascii=False))
    TO.mkdir(parents=True, exist_ok=True)
    for name, found in lines.items():
        text = "".join(f"{line}\n" for line in sorted(found.values()))
        (TO / f"{name}.jsonl.gz").write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
        labels = Counter(json.loads(line)["label"] for line in found.values())
        print(json.dumps({"half": name, "same": labels[1], "different": labels[0]}))


def count_words(data: Path) -> None:
    """Print, for each word that alone told two names apart, how often it was within and between companies."""
    rows = [row for row in listings(data) if not row["barcode"] or half(row["barcode"]) == "look"]
    shelf: dict[str, list[tuple[Row, Reading]]] = defaultdict(list)
    for row in rows:
        reading = read(row["name"], row["brand"], row["size"])
        if reading.brand is not None:
            shelf[reading.brand].append((row, reading))
    within: Counter[str] = Counter()
    between: Counter[str] = Counter()
    for sold in shelf.values():
        near = [
            (one[0], other[0], word)
            for one, other in combinations(sold, 2)
            if (word := one_word_apart(one[1], other[1])) is not None
        ]
        within.update(word for a, b, word in near if a["company"] == b["company"] and side_by_side(a, b))
        apart = [(id(a), id(b), word) for a, b, word in near if a["company"] != b["company"]]
        times = Counter(one for a, b, _ in apart for one in (a, b))
        between.update(word for a, b, word in apart if times[a] == times[b] == 1)
    for word in sorted({*within, *between}, key=lambda word: (-within[word] - between[word], word)):
        row = {"word": word, "class": class_of(word), "within": within[word], "between": between[word]}
        print(json.dumps(row))


def one_word_apart(one: Reading, other: Reading) -> str | None:
    """The one word that one of two names of a size has alone; None if they differ otherwise, or not at all."""
    if one.numbers != other.numbers or abs(len(set(one.words)) - len(set(other.words))) != 1:
        return None
    if agreement(one.sizes, other.sizes) != "same":
        return None
    words_of = align(one.words, other.words)
    alone = words_of.left + words_of.right
    return alone[0] if len(alone) == 1 else None


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Labelled pairs for identity, and what words are worth.")
    parser.add_argument("what", choices=("pairs", "words"))
    parser.add_argument("--data", type=Path, required=True, help="The folder of the product files.")
    asked = parser.parse_args()
    (write_pairs if asked.what == "pairs" else count_words)(asked.data)


if __name__ == "__main__":
    main()
