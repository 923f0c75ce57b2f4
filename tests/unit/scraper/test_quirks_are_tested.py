"""The list of quirks names tests that there are, for every retailer."""

import re
from pathlib import Path

from splitcart_scraper.retailers import RETAILERS

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "services" / "scraper" / "QUIRKS.md").read_text("utf-8")


def test_every_quirk_has_a_test_of_that_name() -> None:
    named = 0
    for heading, path, table in re.findall(
        r"^## (.+?): `(.+?)`\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE
    ):
        tests = re.findall(r"^\| .+ \| `(test_\w+)` \|$", table, re.MULTILINE)
        rows = [line for line in table.splitlines() if line.startswith("| ") and not line.startswith("| quirk")]
        assert len(tests) == len(rows) > 0, heading
        there = set(re.findall(r"^(?:async )?def (test_\w+)", (ROOT / path).read_text("utf-8"), re.MULTILINE))
        assert [name for name in tests if name not in there] == [], path
        named += len(tests)
    assert named > 70


def test_every_retailer_is_in_it() -> None:
    headings = re.findall(r"^## (\w+)", TEXT, re.MULTILINE)
    assert {heading.lower() for heading in headings} >= set(RETAILERS)
