"""What each simulated host asks robots to leave alone: plausible, as retailers.md says nothing of the real ones.

What a shopper's own pages, carts and searches are is disallowed, what the scrapers read is not; other robots are
sent away altogether, and a longer rule takes back what a shorter one says. Half of a file, which is what a client
has of one that is cut off, says nothing that the whole does not.
"""

from collections.abc import Mapping
from typing import Final

from splitcart_sandbox.retailers.web import Answer, Call

ROBOTS_TXT: Final = "robots.txt"

_OTHERS: Final = "User-agent: GPTBot\nUser-agent: CCBot\nDisallow: /\n"

RULES: Final[Mapping[str, tuple[str, ...]]] = {
    "aldi": ("Disallow: /v1/", "Disallow: /v2/customers", "Disallow: /v3/carts", "Disallow: /v3/*?q="),
    "coles": (
        "Allow: /api/graphql", "Allow: /api/bff/products/categories", "Disallow: /api/", "Disallow: /search",
        "Disallow: /account", "Disallow: /checkout", "Disallow: /lists",
    ),
    "iga": (
        "Allow: /api/storefront/stores/*/categor", "Disallow: /api/", "Disallow: /cart", "Disallow: /checkout",
        "Disallow: /my-account",
    ),
    "woolworths": (
        "Allow: /apis/ui/browse/", "Allow: /apis/ui/StoreLocator/", "Allow: /apis/ui/PiesCategoriesWithSpecials",
        "Allow: /apis/ui/product/detail/", "Disallow: /apis/", "Disallow: /api/", "Disallow: /shop/search/",
        "Disallow: /shop/checkout", "Disallow: /shop/myaccount", "Disallow: /shop/securelogin",
    ),
}  # fmt: skip
"""The rules for everybody, by company; those that allow come first."""


def robots_txt(company: str, crawl_delay_seconds: float) -> Call | None:
    """The call that answers a company's robots.txt, None for one that has none; a delay of 0 is not stated."""
    rules = RULES.get(company)
    if rules is None:
        return None
    delay = (f"Crawl-delay: {crawl_delay_seconds:g}",) if crawl_delay_seconds else ()
    text = "\n".join((_OTHERS, "User-agent: *", *delay, *rules, ""))
    answer = Answer(200, text.encode(), {"cache-control": "public, max-age=3600"}, "text/plain; charset=utf-8")
    return Call("robots", "", "", lambda _at, _: answer)
