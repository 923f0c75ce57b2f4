"""What an HTTP answer means, and how much of one is read.

Bodies are unpacked here and not by the client, which unpacks a whole chunk at a time, however large it becomes: a
few kilobytes can be packed gigabytes. So only what can be unpacked with a bound is asked for and taken.
"""

import zlib
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from splitcart_scraper.outcomes import BotWall, Moved, NetworkDown, NotFound, Throttled, Trouble
from splitcart_scraper.retailers.base import Meaning, Request

PACKING: Final = "gzip"
"""The one packing that is asked for: every host has it, and zlib unpacks it piece by piece."""

_HTML_STARTS: Final = (b"<!doctype", b"<html", b"<head")
_GZIP: Final = zlib.MAX_WBITS | 16
"""zlib's number for gzip's header."""


class UnreadableError(Exception):
    """A body that cannot or will not be unpacked."""


async def body_of(response: httpx.Response, most: int) -> bytes:
    """The whole body, unpacked; UnreadableError where it is larger than `most` bytes, or packed as we cannot read.

    Never holds more than some `most` bytes, however large it would become.
    """
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "", PACKING):
        raise UnreadableError(f"it is packed as {encoding[:40]!r}, which was not asked for")
    unpack = zlib.decompressobj(_GZIP) if encoding == PACKING else None
    chunks: list[bytes] = []
    size = received = 0
    async for chunk in response.aiter_raw():
        received += len(chunk)
        part = chunk
        if unpack is not None and chunk:
            try:
                part = unpack.decompress(chunk, most - size + 1)
            except zlib.error as error:
                raise UnreadableError(f"it cannot be unpacked: {error}") from None
        size += len(part)
        if size > most or received > most:
            raise UnreadableError(f"it is larger than the {most} bytes that are read")
        chunks.append(part)
    if unpack is not None and received and not unpack.eof:
        raise UnreadableError("it ends in the middle of what is packed")
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def outcome_of(
    request: Request, response: httpx.Response, body: bytes, wall: datetime
) -> bytes | Meaning | Trouble:
    """What a whole answer means."""
    meaning = request.meanings.get(response.status_code)
    if meaning is not None:
        return meaning
    if response.status_code != httpx.codes.OK:
        return _refusal(response, body, wall)
    if request.expects != "html" and _is_html_answer(response, body, typed=request.expects == "json"):
        return BotWall(f"HTML where data was due: {_first_words(body)}")
    return body


def _refusal(response: httpx.Response, body: bytes, wall: datetime) -> Trouble:
    """What a status other than 200 means where the request gives it no meaning of its own."""
    status = response.status_code
    retry_after = retry_after_of(response.headers.get("retry-after"), wall)
    detail = f"HTTP {status}: {_first_words(body)}"
    match status:
        case 429:
            trouble: Trouble = Throttled(detail, retry_after=retry_after)
        case 503 if retry_after is not None:
            trouble = Throttled(detail, retry_after=retry_after)
        case 401 | 403:
            trouble = BotWall(detail)
        case _ if status >= 500 or status == 408:
            trouble = NetworkDown(detail, overloaded=status == 503)
        case _ if status >= 400:
            trouble = NotFound(detail)
        case _:
            location = response.headers.get("location", "")
            trouble = Moved(f"HTTP {status} to {location[:200] or 'nowhere'}", location=location)
    return trouble


def _is_html_answer(response: httpx.Response, body: bytes, *, typed: bool) -> bool:
    """Whether an answer is a page for people; where it is not `typed`, its content type says nothing (JSONP)."""
    if body[:1] in (b"{", b"["):
        return False
    kind = str(response.headers.get("content-type", ""))
    return (typed and kind.startswith("text/html")) or is_html(body)


def is_html(body: bytes) -> bool:
    """Whether a body begins as a page for people."""
    return body[:200].lstrip().lower().startswith(_HTML_STARTS)


def retry_after_of(text: str | None, wall: datetime) -> float | None:
    """Wall seconds of a Retry-After in either of its forms, None where there is none to be understood."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - wall).total_seconds())


def _first_words(body: bytes) -> str:
    return " ".join(body[:300].decode("utf-8", "replace").split())[:120]
