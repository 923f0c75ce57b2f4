"""Whatever a host puts in its robots.txt: rules that are kept, or none; never a crash, nor a gap without end."""

from hypothesis import given
from hypothesis import strategies as st

from splitcart_scraper.outcomes import Disallowed
from splitcart_scraper.retailers.base import Request
from splitcart_scraper.robots import Robots
from tests.support.scraper.clocks import START
from tests.support.scraper.tokens import MemoryRobots

NAMES = ("User-agent", "Disallow", "Allow", "Crawl-delay", "Request-rate", "Sitemap", "Host", "X", "")
VALUES = (
    "*",
    "SplitCart",
    "/",
    "/v3/*?q=$",
    "%",
    "%zz",
    "*" * 400,
    "1e999",
    "nan",
    "-3",
    "1/0",
    "9/x 0600-",
    "\x00",
    "",
)
LINES = st.builds(
    lambda name, colon, value: f"{name}{colon}{value}",
    st.sampled_from(NAMES),
    st.sampled_from((":", ": ", " ", "::")),
    st.sampled_from(VALUES) | st.text(max_size=30),
)


@given(
    lines=st.lists(LINES, max_size=12),
    noise=st.binary(max_size=20),
    path=st.sampled_from(("/", "/v3/x?q=%zz", "/%")),
)
async def test_it_is_read_without_a_crash(lines: list[str], noise: bytes, path: str) -> None:
    robots = Robots("aldi", "host", "SplitCart", MemoryRobots())
    await robots.learn("\n".join(lines).encode("utf-8", "replace") + noise, START)
    assert await robots.known(START)
    gap = robots.gap_seconds()
    assert gap >= 0
    refused = robots.objection(Request(path), 60)
    assert refused is None or isinstance(refused, Disallowed)
    assert refused is not None or gap <= 60, "a gap that is not to be borne is a refusal"
