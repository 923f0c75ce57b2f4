"""robots.txt: what a host asks robots to leave alone, and how fast it lets them go (RFC 9309).

It is read once a (virtual) day a host, at the host's own pace, and kept in Postgres, so that many processes and
short commands read it once between them. What it disallows is not asked for, unless the operator states that the
retailer has given permission. Paths are those below the company's address: each simulated retailer has its own.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from protego import Protego

from splitcart_scraper.answers import is_html
from splitcart_scraper.outcomes import Disallowed
from splitcart_scraper.retailers.base import Meaning, Request

ROBOTS: Final = Request(
    "/robots.txt",
    expects="html",  # any type of text
    meanings={status: Meaning.PAST_END for status in range(400, 500) if status not in (408, 429)},
)
"""The request for it. A host that has none (any 4xx, by RFC 9309) lets everything be asked for."""
KEPT_FOR: Final = timedelta(days=1)
UNSURE_FOR: Final = timedelta(hours=1)
"""For so long a page for people, in the place of robots.txt, stands for "there is none": it may be a wall."""
STALE_FOR: Final = timedelta(days=30)
"""For so long after its day it still holds, while the host cannot give a new one."""
MOST_CHARACTERS: Final = 500 << 10
"""What is read of one; RFC 9309 asks for at least so much."""
MOST_REDIRECTIONS: Final = 5


@dataclass(frozen=True, slots=True)
class KeptRobots:
    """A robots.txt, and the (virtual) moment until which it need not be read again."""

    text: str
    until: datetime


class RobotsShelf(Protocol):
    """Where they are kept, by host."""

    async def kept(self, host: str) -> KeptRobots | None:
        """The last one that was read."""
        ...

    async def keep(self, host: str, robots: KeptRobots) -> None:
        """Keep another in its place."""
        ...


class Robots:
    """The rules of one host for us. `agent` is the first word of our user agent, without its version.

    With a `permission` (the operator's words for it) nothing is disallowed; the pace that is asked for is kept.
    """

    def __init__(self, company: str, host: str, agent: str, shelf: RobotsShelf, permission: str = "") -> None:
        self._company, self._host, self._agent = company, host, agent
        self._shelf, self._permission = shelf, permission
        self._kept: KeptRobots | None = None
        self._rules = Protego.parse("")

    async def known(self, now: datetime) -> bool:
        """Whether the rules are known and need not be read again."""
        if self._kept is None or self._kept.until <= now:
            kept = await self._shelf.kept(self._host)
            if kept is not None and (self._kept is None or kept.until > self._kept.until):
                self._take(kept)
        return self._kept is not None and self._kept.until > now

    def outdated(self, now: datetime) -> bool:
        """Whether there are rules that are due to be read again, and hold while they cannot be."""
        return self._kept is not None and now < self._kept.until + STALE_FOR

    async def learn(self, body: bytes, now: datetime) -> None:
        """Take a robots.txt; empty where the host has none."""
        wall = is_html(body)
        text = "" if wall else body[:MOST_CHARACTERS].decode("utf-8", "replace").replace("\0", "")
        kept = KeptRobots(text, now + (UNSURE_FOR if wall else KEPT_FOR))
        await self._shelf.keep(self._host, kept)
        self._take(kept)

    def gap_seconds(self) -> float:
        """The gap (virtual) it asks for by Crawl-delay or Request-rate; 0 if by neither."""
        delay, rate = self._rules.crawl_delay(self._agent), self._rules.request_rate(self._agent)
        asked = (delay, rate.seconds / rate.requests if rate is not None and rate.requests else None)
        return max((gap for gap in asked if gap is not None and gap > 0), default=0.0)

    def objection(self, request: Request, longest_gap_seconds: float) -> Disallowed | None:
        """Why a request is not made, None where it may be."""
        if self._permission:
            return None
        path = request.target.partition("?")[0]
        gap = self.gap_seconds()
        if not self._rules.can_fetch(f"https://host{request.target}", self._agent):
            what = f"asks {self._agent} to leave {path} alone"
        elif gap > longest_gap_seconds:
            limit = f"SPLITCART_SCRAPER_LONGEST_GAP_SECONDS ({longest_gap_seconds:g})"
            what = f"asks for {gap:g} s between two requests, more than {limit}"
        else:
            return None
        return Disallowed(
            f"robots-disallowed: robots.txt of {self._host} {what}. Leave {self._company} out of "
            "SPLITCART_SCRAPER_COMPANIES; or, if the retailer has given you permission, say by whom and when in "
            f"SPLITCART_SCRAPER_PERMISSION_{self._company.upper()}"
        )

    def _take(self, kept: KeptRobots) -> None:
        self._kept, self._rules = kept, Protego.parse(kept.text)


def agent_of(user_agent: str) -> str:
    """The word by which robots.txt knows a client: ``SplitCart`` of ``SplitCart/0.1 (…)``."""
    return user_agent.partition("/")[0].split()[0]
