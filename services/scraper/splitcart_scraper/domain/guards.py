"""What a scrape must pass before anything of it is published: nothing bad is on the bus to be undone."""

from typing import Final

from splitcart_scraper.domain.scrape import Tally

PARSE_BUDGET: Final = 0.05
"""The largest share of tiles that may be refused."""


def objection(tally: Tally) -> str | None:
    """Why the scrape must wait for an operator; None where it may be published."""
    if not tally.tiles and tally.categories_planned and tally.categories_finished == tally.categories_planned:
        return f"nothing is sold: {tally.categories_planned} categories, all of them empty"
    if tally.tiles and tally.zero_prices == tally.tiles:
        return f"all prices are zero: {tally.tiles} tiles"
    if tally.refused_tiles > PARSE_BUDGET * tally.tiles:
        share = tally.refused_tiles / tally.tiles
        return (
            f"parse budget: {tally.refused_tiles} of {tally.tiles} tiles ({share:.1%}) could not be understood, "
            f"at most {PARSE_BUDGET:.0%} may be"
        )
    return None
