"""Barcodes that another gateway knows already: read from its export, page by page, so that no retailer is asked.

What is expected (the export is another issue's; the reader is tolerant until it stands):

    GET <gateway>/api/export/listings/?company=coles
    {"results": [{"company": "coles", "sku": "7000002", "barcode": "9310072011691", …}, …], "next": …}

`next` is the address of the next page (whole, or from its `/` or `?` on), null or absent after the last;
`next_cursor` instead is a cursor to be given as `cursor=`. Rows may also be under `items` or `data`, or be the
whole answer; a row may be one of (company, store, sku), as in the export of prices. Fields that are not named here
are not read, rows without SKU or barcode are passed over. Rows that disagree about a SKU cancel each other.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

import msgspec

from splitcart_scraper.domain.barcodes import checked
from splitcart_scraper.fetch import Fetcher
from splitcart_scraper.outcomes import Read, Trouble
from splitcart_scraper.retailers.base import PageError, Request
from splitcart_scraper.retailers.reading import decode

PATH: Final = "/api/export/listings/"
MOST_PAGES: Final = 10_000
"""Pages of one export; one that is longer is taken for one that never ends."""
_ROWS: Final = ("results", "items", "data")
_ANY: Final = msgspec.json.Decoder(object)


@dataclass(frozen=True, slots=True)
class ExportPage:
    """The barcodes of one page, by SKU as they stand there, and where the next one is (None: nowhere)."""

    barcodes: tuple[tuple[str, object], ...]
    following: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """What an export knows of what is wanted; `trouble` says why it was not read to its end."""

    barcodes: dict[str, str]
    requests: int
    trouble: str | None = None


def export_address(url: str) -> tuple[str, str]:
    """Origin and path of an export: of its own address (with `/api/` in it), or of a gateway's.

    ValueError where it is no address of the web, or has a password in it, which would be logged.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError(f"{url!r} is no gateway's address: expected something like https://splitcart.example")
    path = parts.path if "/api/" in parts.path else parts.path.rstrip("/") + PATH
    return f"{parts.scheme}://{parts.netloc}", f"{path}?{parts.query}" if parts.query else path


def read_export(body: bytes, company: str, here: str) -> ExportPage:
    """One page of an export; PageError for what is none. `here` is its own address, `next` may be relative to it.

    An address on another host is a PageError as well: what is asked for is the operator's choice, not a page's.
    """
    answer = decode(_ANY, body)
    rows: Any = answer
    if isinstance(answer, dict):
        rows = next((answer[name] for name in _ROWS if isinstance(answer.get(name), list)), None)
    if not isinstance(rows, list):
        raise PageError(f"no page of an export: it has no list of rows ({len(body)} bytes)")
    found = (_barcode(row, company) for row in rows if isinstance(row, dict))
    following = _following(answer, here) if isinstance(answer, dict) else None
    return ExportPage(tuple(item for item in found if item is not None), following)


class Export:
    """One gateway's export of a company's listings."""

    def __init__(self, fetcher: Fetcher, origin: str, path: str, company: str) -> None:
        self._fetcher, self._origin, self._path, self._company = fetcher, origin, path, company

    async def barcodes(self, wanted: Collection[str]) -> Known:
        """Read it to its end; only what is wanted is kept, so memory does not grow with the export."""
        offered: dict[str, set[str]] = {}
        here: str | None = _with(self._origin + self._path, company=self._company)
        asked: set[str] = set()
        requests, trouble = 0, None
        async with self._fetcher.pace.visit():
            while here is not None:
                if here in asked or len(asked) >= MOST_PAGES:
                    trouble = f"its pages do not come to an end ({here})"
                    break
                asked.add(here)
                page = await self._fetcher.read(
                    Request(here.removeprefix(self._origin)),
                    partial(read_export, company=self._company, here=here),
                )
                requests += page.requests
                if not isinstance(page, Read):
                    trouble = f"{page.detail if isinstance(page, Trouble) else page.meaning} ({here})"
                    break
                for sku, code in page.value.barcodes:
                    if sku in wanted and (barcode := checked(code)) is not None:
                        offered.setdefault(sku, set()).add(barcode)
                here = page.value.following
        return Known({sku: codes.pop() for sku, codes in offered.items() if len(codes) == 1}, requests, trouble)


def _barcode(row: dict[str, Any], company: str) -> tuple[str, object] | None:
    sku, code = row.get("sku"), row.get("barcode") or row.get("gtin")
    sku = str(sku) if type(sku) is int else sku
    if not isinstance(sku, str) or not code or row.get("company", company) != company:
        return None
    return sku, code


def _following(answer: dict[str, Any], here: str) -> str | None:
    cursor, following = answer.get("next_cursor"), answer.get("next")
    if not following and not cursor:
        return None
    if not following:
        return _with(here, cursor=str(cursor))
    if not isinstance(following, str):
        raise PageError(f"the next page is no address, but {following!r:.60}")
    there = urljoin(here, following)
    if urlsplit(there)[:2] != urlsplit(here)[:2]:
        raise PageError(f"the next page is elsewhere: {there:.200}")
    return there


def _with(address: str, **parameters: str) -> str:
    """The address with parameters in place of those of the same names."""
    parts = urlsplit(address)
    query = dict(parse_qsl(parts.query, keep_blank_values=True)) | parameters
    return urlunsplit(parts._replace(query=urlencode(query), fragment=""))
