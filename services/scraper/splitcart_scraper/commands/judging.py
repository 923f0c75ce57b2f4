"""`splitcart scrapes list|show|accept|reject`."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from splitcart_common.ids import company_of
from splitcart_scraper.commands.shell import CommandError, connected, execute, publishing, settings_for
from splitcart_scraper.domain.guards import Known, Moved, moved, prices_of
from splitcart_scraper.domain.listing import distinct
from splitcart_scraper.domain.scrape import StagedPage, Tally, tally
from splitcart_scraper.store import judged, known, runs
from splitcart_scraper.store.judged import NotQuarantinedError, Record

Said = tuple[dict[str, object], str]


def show_all(company: str | None, state: str | None, limit: int, *, dev: bool, as_json: bool) -> None:
    """The verb `scrapes list`."""

    async def main() -> Said:
        async with connected(settings_for(company, dev=dev)) as made:
            found = await judged.records(made.pool, company, state, limit)
        lines = [
            f"{one.run.scrape_id}  {one.run.store:<16} {_iso(one.run.started_at)}  {one.state:<11} {_short(one)}"
            for one in found
        ]
        return {"scrapes": [_content(one) for one in found]}, "\n".join(lines) or "no such scrape is on record"

    execute(main(), as_json=as_json)


def show(scrape: str, samples: int, *, dev: bool, as_json: bool) -> None:
    """The verb `scrapes show`."""

    async def main() -> Said:
        identity = _identity(scrape)
        async with connected(settings_for(None, dev=dev)) as made:
            found = await judged.record(made.pool, identity)
            if found is None:
                raise CommandError(f"there is no scrape {identity}: `splitcart scrapes list` has them")
            pages = await runs.staged(made.pool, identity)
            before = await known.load(made.pool, found.run.store)
        counts = found.tally or tally(found.run, pages)
        content = _content(found) | _numbers(counts) | {"unfinished": list(counts.unfinished)}
        lines = [
            f"{found.run.store}: {found.state}, {_short(found)}",
            f"began {_iso(found.run.started_at)} (virtual)",
        ]
        lines += [f"unfinished: {one}" for one in counts.unfinished[:samples]]
        if pages:
            refusals, said = _refusals(pages, samples)
            prices, moves = _moves(pages, before, samples)
            content |= {"refusals": refusals, "moved": prices}
            lines += [*said, *moves]
        return content, "\n".join(lines)

    execute(main(), as_json=as_json)


def accept(scrape: str, *, dev: bool, as_json: bool) -> None:
    """The verb `scrapes accept`."""

    async def main() -> Said:
        identity = _identity(scrape)
        async with connected(settings_for(None, dev=dev)) as made, publishing(made):
            try:
                was = await judged.accept(made.pool, identity, made.settings.topic_prefix)
            except NotQuarantinedError as error:
                raise CommandError(str(error)) from None
        listings = 0 if was.tally is None else was.tally.listings
        content: dict[str, object] = {"scrape_id": scrape, "store": was.run.store, "published": listings}
        return content, f"{was.run.store}: published, {listings} listings of {_iso(was.run.started_at)}"

    execute(main(), as_json=as_json)


def reject(scrape: str, why: str, *, dev: bool, as_json: bool) -> None:
    """The verb `scrapes reject`."""

    async def main() -> Said:
        identity = _identity(scrape)
        async with connected(settings_for(None, dev=dev)) as made, publishing(made):
            try:
                was = await judged.reject(made.pool, identity, why, made.clock.now(), made.settings.topic_prefix)
            except NotQuarantinedError as error:
                raise CommandError(str(error)) from None
        content: dict[str, object] = {"scrape_id": scrape, "store": was.run.store, "rejected": why}
        return content, f"{was.run.store}: rejected; its prices stay as they were"

    execute(main(), as_json=as_json)


def _identity(scrape: str) -> UUID:
    try:
        return UUID(scrape)
    except ValueError:
        raise CommandError(f"{scrape!r} is no scrape id: `splitcart scrapes list` shows them", 2) from None


def _content(found: Record) -> dict[str, object]:
    run = found.run
    return {
        "scrape_id": str(run.scrape_id),
        "store": run.store,
        "company": company_of(run.store),
        "state": found.state,
        "why": found.detail,
        "reason": run.reason,
        "scope": run.scope,
        "started_at": _iso(run.started_at),
        "finished_at": _iso(found.finished_at),
        "settled_at": _iso(found.settled_at),
        "outcome": found.outcome,
        "listings": None if found.tally is None else found.tally.listings,
        "requests": None if found.tally is None else found.tally.requests,
    }


def _numbers(counts: Tally) -> dict[str, object]:
    return {
        "listings": counts.listings,
        "pages": counts.pages,
        "requests": counts.requests,
        "tiles": counts.tiles,
        "refused": counts.refused_tiles,
        "categories_finished": counts.categories_finished,
        "categories_planned": counts.categories_planned,
    }


def _short(found: Record) -> str:
    counts = found.tally
    said = "" if counts is None else f"{counts.listings} listings, {counts.requests} requests"
    return said if found.detail is None else f"{said}; {found.detail}"


def _refusals(pages: Sequence[StagedPage], samples: int) -> tuple[dict[str, object], list[str]]:
    """The refused tiles: how many for which reason, and the first of them with the page that bears it."""
    all_of_them = [(page, refusal) for page in pages for refusal in page.content.refusals]
    reasons = Counter(refusal.reason.value for _, refusal in all_of_them)
    sample = [
        {"reason": refusal.reason.value, "sku": refusal.sku, "detail": refusal.detail, "url": page.url}
        for page, refusal in all_of_them[:samples]
    ]
    lines = [f"refused: {number} {reason}" for reason, number in reasons.most_common()]
    lines += [f"  {one['sku'] or 'without a SKU'}: {one['reason']}, {one['detail']}" for one in sample]
    return {"reasons": dict(reasons), "sample": sample}, lines


def _moves(pages: Sequence[StagedPage], before: Known | None, samples: int) -> tuple[dict[str, object], list[str]]:
    """The prices that are not what the store's last published scrape said, the largest moves first."""
    if before is None:
        nothing = "moved: nothing is known of the store to compare with"
        return {"since": None, "common": 0, "moved": 0, "sample": []}, [nothing]
    now = prices_of(pages)
    found: Moved = moved(before.prices, now)
    names = {sku: listing.name for sku, listing in distinct(page.content for page in pages).items()}
    largest = sorted(found.skus, key=lambda sku: (-abs(now[sku] - before.prices[sku]), sku))[:samples]
    sample = [{"sku": sku, "name": names[sku], "before": before.prices[sku], "now": now[sku]} for sku in largest]
    since = _iso(before.started_at)
    content: dict[str, object] = {
        "since": since,
        "common": found.common,
        "moved": len(found.skus),
        "sample": sample,
    }
    lines = [f"moved: {len(found.skus)} of {found.common} prices ({found.share:.1%}) since {since} (virtual)"]
    lines += [f"  {one['sku']} {one['name']}: {one['before']} to {one['now']} cents" for one in sample]
    return content, lines


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
