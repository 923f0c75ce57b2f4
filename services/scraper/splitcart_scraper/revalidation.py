"""Answers that are kept to be asked about again: category trees, store finders, opening pages.

An answer is never used without asking: the host is told which one we have (`If-None-Match`, `If-Modified-Since`)
and either says that it still holds (304) or sends another. So what is read is always what the host says just then.
Listings are not kept at all: a price is stamped with the moment it was read (decision 0015 has the reasons).
"""

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Final

from splitcart_scraper.domain.listing import PageContent
from splitcart_scraper.retailers.base import Request

MOST_BYTES: Final = 16 << 20
"""Of bodies kept by one process for one host; the one that was not used for longest goes first."""
_CONDITIONS: Final = {"etag": "if-none-match", "last-modified": "if-modified-since"}


@dataclass(frozen=True, slots=True)
class Kept:
    """A body, and what the host knows it by: its headers `etag` and `last-modified`, whichever it gave."""

    body: bytes
    validators: Mapping[str, str]

    @property
    def conditions(self) -> dict[str, str]:
        """The headers that ask for an answer only if it is another than this."""
        return {_CONDITIONS[name]: value for name, value in self.validators.items()}


class KeptAnswers:
    """What is kept of one host, in memory."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._bytes = most_bytes, 0
        self._kept: OrderedDict[Hashable, Kept] = OrderedDict()

    def of(self, request: Request) -> Kept | None:
        """What is kept of the answer to this very request, its headers included; None where nothing is."""
        key = _key(request)
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
        return kept

    def remember(self, request: Request, headers: Mapping[str, str], body: bytes, value: object) -> None:
        """Keep an answer that was understood as `value`, if the host lets us and can be asked about it."""
        key = _key(request)
        self._forget(key)
        if request.method != "GET" or isinstance(value, PageContent):
            return
        allowed = "no-store" not in headers.get("cache-control", "").lower() and headers.get("vary") != "*"
        validators = {name: headers[name] for name in _CONDITIONS if name in headers}
        if allowed and validators and len(body) <= self._most:
            self._kept[key] = Kept(body, validators)
            self._bytes += len(body)
            while self._bytes > self._most:
                self._forget(next(iter(self._kept)))

    def _forget(self, key: Hashable) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= len(kept.body)


def _key(request: Request) -> Hashable:
    return request.method, request.target, tuple(sorted(request.headers.items()))
