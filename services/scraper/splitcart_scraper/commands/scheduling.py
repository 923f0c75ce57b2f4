"""`splitcart schedule show|explain|policy|flag|release`."""

from collections import Counter
from datetime import datetime

from splitcart_common.ids import split_store_key
from splitcart_scraper.commands.shell import CommandError, connected, execute, settings_for, store_of
from splitcart_scraper.domain.budgets import Spent
from splitcart_scraper.domain.rests import CONFIRMED, Candidate, Rests, Standing, Wait, standing
from splitcart_scraper.domain.schedule import POLICIES, nothing_due, over_budget, ranked, waiting
from splitcart_scraper.store import budgets, claims

Said = tuple[dict[str, object], str]


def show(company: str, limit: int, *, dev: bool, as_json: bool) -> None:
    """The verb `schedule show`."""

    async def main() -> Said:
        settings = settings_for(company, dev=dev)
        rests = settings.rests
        async with connected(settings) as made:
            known = await claims.candidates(made.pool, company)
            now, wall = made.clock.now(), made.clock.wall()
            today = await budgets.spent(made.pool, company, now, settings.scraper_budget_per_day.of(company))
        order = ranked(known, now, wall, rests, settings.policy)
        later = waiting(known, now, wall, rests)[:limit]
        states = Counter(standing(candidate, now, wall, rests) for candidate in known)
        content: dict[str, object] = {
            "company": company,
            "policy": settings.policy.name,
            "today": _today(today),
            "now": now.isoformat(),
            "stores": {state.value: states[state] for state in Standing},
            "next": [{"store": choice.store, "why": choice.why} for choice in order[:limit]],
            "later": [{"store": candidate.store, **_waits(candidate, wait)} for candidate, wait in later],
        }
        lines = [f"{choice.store:<16} {choice.why}" for choice in order[:limit]]
        if not order or today.over:
            nothing = nothing_due(known, now, wall, rests)
            nothing = over_budget(today, nothing) if order else nothing
            at = _iso(nothing.next_due_at)
            content |= {"why": nothing.why, "next_due_at": at}
            lines = [nothing.why if at is None else f"{nothing.why}; the next one at {at}", *lines]
        room = limit - len(order)
        lines += [
            f"{candidate.store:<16} {_rests(candidate, wait, rests)}" for candidate, wait in later[: max(room, 0)]
        ]
        return content, "\n".join(lines)

    execute(main(), as_json=as_json)


def explain(store: str, *, dev: bool, as_json: bool) -> None:
    """The verb `schedule explain`."""

    async def main() -> Said:
        company = _company_of(store)
        settings = settings_for(company, dev=dev)
        rests = settings.rests
        async with connected(settings) as made:
            known = await claims.candidates(made.pool, company)
            now, wall = made.clock.now(), made.clock.wall()
            today = await budgets.spent(made.pool, company, now, settings.scraper_budget_per_day.of(company))
        candidate = next((one for one in known if one.store == store), None)
        if candidate is None:
            raise CommandError(_unknown(store))
        state = standing(candidate, now, wall, rests)
        wait = rests.wait(candidate) if state in (Standing.RESTING, Standing.FRESH, Standing.RELEASED) else None
        order = [choice.store for choice in ranked(known, now, wall, rests, settings.policy)]
        place = order.index(store) + 1 if store in order else None
        held = today.refusal("no new scrape begins") if today.over and state is Standing.DUE else None
        due_at = wait.until if wait is not None else today.next_day_at if held is not None else None
        content: dict[str, object] = {
            "store": store,
            "standing": state.value,
            "place": place,
            "flagged": candidate.flagged_why,
            "last_scraped_at": _iso(candidate.last_scraped_at),
            "last_claimed_at": _iso(candidate.last_claimed_at),
            "lease_until": _iso(candidate.lease_until),
            "anchor": candidate.anchor,
            "confirmed_at": _iso(candidate.confirmed_at),
            "due_at": _iso(due_at),
            "why": _rests(candidate, wait, rests) if wait is not None else _sentence(candidate, state, place),
            "held_back": held,
        }
        words = f"{store} {content['why']}"
        return content, words if held is None else f"{words}; {held}: due {_iso(due_at)} (virtual)"

    execute(main(), as_json=as_json)


def policy(*, dev: bool, as_json: bool) -> None:
    """The verb `schedule policy`."""

    async def main() -> Said:
        settings = settings_for(None, dev=dev)
        chosen, rests, limits = settings.policy, settings.rests, settings.scraper_budget_per_day
        async with connected(settings) as made:
            now = made.clock.now()
            spent = {
                company: await budgets.spent(made.pool, company, now, limits.of(company))
                for company in settings.scraper_companies
            }
        hours = {
            "handed_out": rests.claimed.total_seconds() / 3600,
            "scraped": rests.scraped.total_seconds() / 3600,
            "released": rests.released.total_seconds() / 3600,
        }
        content: dict[str, object] = {
            "policy": chosen.name,
            "means": chosen.means,
            "policies": {name: one.means for name, one in POLICIES.items()},
            "rest_hours": hours,
            "turns": str(settings.turns),
            "budgets": {company: _today(today) for company, today in spent.items()},
        }
        lines = [
            f"{chosen.name}: {chosen.means}",
            f"a store rests {hours['handed_out']:g} hours after it was handed out, {hours['scraped']:g} after a "
            f"complete scrape or until prices turn ({settings.turns}, UTC), {hours['released']:g} as a confirmed "
            "member; a flag lifts the last two",
            *(f"{company:<12} {_today_in_words(today)}" for company, today in spent.items()),
        ]
        return content, "\n".join(lines)

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


def _today(today: Spent) -> dict[str, object]:
    return {
        "day": today.day.isoformat(),
        "requests": today.requests,
        "budget": today.limit,
        "next_day_at": _iso(today.next_day_at),
    }


def _today_in_words(today: Spent) -> str:
    if today.limit is None:
        return f"{today.requests} requests on {today.day} (UTC), no budget"
    over = "; no new scrape begins before the next day" if today.over else ""
    return f"{today.requests} of {today.limit} requests on {today.day} (UTC){over}"


def _waits(candidate: Candidate, wait: Wait) -> dict[str, object]:
    """A store that is left alone, as JSON: as what, until when, and under which anchor it is released."""
    content: dict[str, object] = {"standing": wait.standing.value, "due_at": _iso(wait.until)}
    if wait.standing is Standing.RELEASED:
        content |= {"anchor": candidate.anchor, "confirmed_at": _iso(candidate.confirmed_at)}
    return content


def _rests(candidate: Candidate, wait: Wait, rests: Rests) -> str:
    """The same as words; all moments are virtual."""
    due = f"due {_iso(wait.until)} (virtual)"
    scraped = f"scraped {_iso(candidate.last_scraped_at)}"
    if wait.standing is Standing.RELEASED and candidate.confirmed_at is not None:
        lapses = _iso(candidate.confirmed_at + CONFIRMED)
        return (
            f"is released under {candidate.anchor} since {_iso(candidate.confirmed_at)}, which lapses {lapses}; "
            f"{scraped}, {due}"
        )
    if wait.standing is Standing.FRESH:
        return f"is fresh: {scraped}, and prices have not turned since; {due}"
    hours = rests.claimed.total_seconds() / 3600
    flagged = "" if candidate.flagged_why is None else f", flagged: {candidate.flagged_why}"
    return f"rests {hours:g} hours after it was handed out {_iso(candidate.last_claimed_at)}; {due}{flagged}"


def _sentence(candidate: Candidate, state: Standing, place: int | None) -> str:
    if place is not None:
        again = ", its scrape goes on from the checkpoint" if state is Standing.INTERRUPTED else ""
        scraped = f"last scraped {_iso(candidate.last_scraped_at) or 'never'}"
        flagged = "" if candidate.flagged_why is None else f", flagged: {candidate.flagged_why}"
        return f"is number {place} in line{again}; {scraped}{flagged}"
    if state is Standing.LEASED:
        return f"is being scraped; its lease ends {_iso(candidate.lease_until)} (wall) if not kept"
    if state is Standing.OFFLINE:
        return "sells nothing online: it shows its prices nowhere, and is never scraped"
    return "is closed"


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
