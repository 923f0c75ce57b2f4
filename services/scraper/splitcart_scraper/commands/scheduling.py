"""`splitcart schedule show|explain|flag|release`."""

from collections import Counter
from datetime import datetime, timedelta

from splitcart_common.ids import split_store_key
from splitcart_scraper.commands.shell import CommandError, connected, execute, settings_for, store_of
from splitcart_scraper.domain.schedule import OLDEST, Candidate, Standing, nothing_due, ranked, standing
from splitcart_scraper.store import claims

Said = tuple[dict[str, object], str]


def show(company: str, limit: int, *, dev: bool, as_json: bool) -> None:
    """The verb `schedule show`."""

    async def main() -> Said:
        settings = settings_for(company, dev=dev)
        rest = timedelta(hours=settings.scraper_rest_hours)
        async with connected(settings) as made:
            known = await claims.candidates(made.pool, company)
            now, wall = made.clock.now(), made.clock.wall()
        order = ranked(known, now, wall, OLDEST, rest)
        states = Counter(standing(candidate, now, wall, rest) for candidate in known)
        content: dict[str, object] = {
            "company": company,
            "policy": OLDEST.name,
            "now": now.isoformat(),
            "stores": {state.value: states[state] for state in Standing},
            "next": [{"store": choice.store, "why": choice.why} for choice in order[:limit]],
        }
        if order:
            return content, "\n".join(f"{choice.store:<16} {choice.why}" for choice in order[:limit])
        nothing = nothing_due(known, now, wall, rest)
        at = nothing.next_due_at.isoformat(timespec="seconds") if nothing.next_due_at is not None else None
        content |= {"why": nothing.why, "next_due_at": at}
        return content, nothing.why if at is None else f"{nothing.why}; the next one at {at}"

    execute(main(), as_json=as_json)


def explain(store: str, *, dev: bool, as_json: bool) -> None:
    """The verb `schedule explain`."""

    async def main() -> Said:
        company = _company_of(store)
        settings = settings_for(company, dev=dev)
        rest = timedelta(hours=settings.scraper_rest_hours)
        async with connected(settings) as made:
            known = await claims.candidates(made.pool, company)
            now, wall = made.clock.now(), made.clock.wall()
        candidate = next((one for one in known if one.store == store), None)
        if candidate is None:
            raise CommandError(_unknown(store))
        state = standing(candidate, now, wall, rest)
        order = [choice.store for choice in ranked(known, now, wall, OLDEST, rest)]
        place = order.index(store) + 1 if store in order else None
        content: dict[str, object] = {
            "store": store,
            "standing": state.value,
            "place": place,
            "flagged": candidate.flagged_why,
            "last_scraped_at": _iso(candidate.last_scraped_at),
            "last_claimed_at": _iso(candidate.last_claimed_at),
            "lease_until": _iso(candidate.lease_until),
        }
        return content, _sentence(candidate, state, place, rest)

    execute(main(), as_json=as_json)


def flag(store: str, why: str, *, remove: bool, dev: bool, as_json: bool) -> None:
    """The verb `schedule flag`."""

    async def main() -> Said:
        async with connected(settings_for(_company_of(store), dev=dev)) as made:
            done = (
                await claims.unflag(made.pool, store)
                if remove
                else await claims.flag(made.pool, store, made.clock.now(), why)
            )
        if not done:
            raise CommandError(_unknown(store))
        return {"store": store, "flagged": not remove}, f"{store} is {'no longer ' if remove else ''}flagged"

    execute(main(), as_json=as_json)


def release(company: str, store: str | None, *, dev: bool, as_json: bool) -> None:
    """The verb `schedule release`."""

    async def main() -> Said:
        settings = settings_for(company, dev=dev)
        key = None if store is None else store_of(company, store)
        async with connected(settings) as made:
            released = await claims.release(made.pool, company, made.clock.wall(), key)
        return {"company": company, "released": released}, f"released: {', '.join(released) or 'none was leased'}"

    execute(main(), as_json=as_json)


def _company_of(store: str) -> str:
    try:
        return split_store_key(store)[0]
    except ValueError as error:
        raise CommandError(str(error), 2) from None


def _unknown(store: str) -> str:
    return f"{store} is not known, or closed: `splitcart stores discover {_company_of(store)}` finds what there is"


def _sentence(candidate: Candidate, state: Standing, place: int | None, rest: timedelta) -> str:
    if place is not None:
        again = ", its scrape goes on from the checkpoint" if state is Standing.INTERRUPTED else ""
        scraped = f"last scraped {_iso(candidate.last_scraped_at) or 'never'}"
        flagged = "" if candidate.flagged_why is None else f", flagged: {candidate.flagged_why}"
        return f"{candidate.store} is number {place} in line{again}; {scraped}{flagged}"
    if state is Standing.RESTING and candidate.last_claimed_at is not None:
        return f"{candidate.store} rests until {_iso(candidate.last_claimed_at + rest)} (virtual)"
    if state is Standing.LEASED:
        return (
            f"{candidate.store} is being scraped; its lease ends {_iso(candidate.lease_until)} (wall) if not kept"
        )
    return f"{candidate.store} is closed"


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
