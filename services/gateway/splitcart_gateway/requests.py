"""What people ask for, said on `requests`: the gateway alone publishes there, and writes nobody else's tables.

Who is asked decides: that something was asked is on record for ever, what came of it is an event of theirs.
"""

import asyncio
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

from splitcart_common import outbox
from splitcart_common.codec import DecodeError, decode
from splitcart_common.events import CategoryLinkCorrected, RescrapeRequested, SubstituteJudged, UnmergeRequested
from splitcart_common.kafka import UNAVAILABLE as NO_BROKER
from splitcart_common.kafka import start_producer
from splitcart_common.postgres import Pool
from splitcart_common.topics import topic_of
from splitcart_gateway.settings import GatewaySettings
from splitcart_gateway.store import SQL, UNAVAILABLE

PRODUCER: Final = "gateway"
SAY_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.1

Request = RescrapeRequested | UnmergeRequested | CategoryLinkCorrected | SubstituteJudged


class RefusedError(Exception):
    """What is asked makes no sense as things stand; the text says why, and nothing was asked of anyone."""


class UnheardError(Exception):
    """No broker took the request: nothing is on record, so far as anybody knows."""


@dataclass(frozen=True, slots=True)
class Unmerged:
    """What came of an un-merge. `now`: the product the listing is by now, None where nobody has decided yet."""

    request_id: UUID
    company: str
    sku: str
    product: UUID
    now: UUID | None


async def say(settings: GatewaySettings, request: Request) -> UUID:
    """Put a request on record, acknowledged by the broker; the id of its message.

    RefusedError where nobody could read it, UnheardError without a broker.
    """
    request_id = uuid4()
    row = outbox.to_row(
        settings.topic_prefix,
        request.subject,
        request,
        event_id=request_id,
        occurred_at=settings.clock.now(),
        correlation_id=request_id,
        producer=PRODUCER,
    )
    try:
        decode(topic_of(type(request)), row.headers, row.value)
    except DecodeError as error:
        raise RefusedError(error.error) from None
    try:
        async with asyncio.timeout(SAY_SECONDS):
            producer = await start_producer(settings.kafka_bootstrap, f"splitcart-{PRODUCER}")
            try:
                await producer.send_and_wait(row.topic, row.value, row.key, headers=row.headers)
            finally:
                await producer.stop()
    except (TimeoutError, *NO_BROKER) as error:
        why = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise UnheardError(f"no broker took it at {settings.kafka_bootstrap} ({why})") from None
    return request_id


async def unmerge(
    settings: GatewaySettings,
    pool: Pool,
    listing: tuple[str, str],
    product: UUID | None,
    *,
    by: str,
    reason: str,
    wait_seconds: float,
) -> Unmerged:
    """Ask that a listing (company, SKU) be parted from its product, and wait for what comes of it.

    `product` is what it is thought to be: RefusedError where it is another, or alone, or not decided on yet.
    """
    company, sku = listing
    here = await _product_to_leave(pool, listing, product)
    asked = UnmergeRequested(subject=f"{company}/{sku}", by=by, reason=reason, product_id=here)
    request_id = await say(settings, asked)
    return Unmerged(request_id, company, sku, here, await _parted(pool, listing, here, wait_seconds))


async def _parted(pool: Pool, listing: tuple[str, str], here: UUID, seconds: float) -> UUID | None:
    """The product a listing is once it is not that one any more; None where that is not seen in time."""
    try:
        async with asyncio.timeout(seconds):
            while (now := await pool.fetchval(SQL["link"], *listing)) == here:  # noqa: ASYNC110 - others' decision
                await asyncio.sleep(LOOK_SECONDS)
    except (TimeoutError, *UNAVAILABLE):
        return None  # it is on record all the same
    found: UUID | None = now
    return found


async def _product_to_leave(pool: Pool, listing: tuple[str, str], product: UUID | None) -> UUID:
    row = await pool.fetchrow(SQL["link"], *listing)
    name = " ".join(listing)
    if row is None:
        raise RefusedError(f"there is no listing {name}: `splitcart find` looks for products by name")
    here: UUID = row["product_id"]
    if row["rule"] is None:
        raise RefusedError(f"which product {name} is has not been decided yet: it stands alone")
    if product is not None and (await pool.fetchval(SQL["survivor"], product) or product) != here:
        raise RefusedError(f"{name} is product {here}, and not {product}")
    if row["listings"] == 1:
        raise RefusedError(f"{name} is all there is of product {here}: there is nothing to part it from")
    return here
