"""`splitcart canary`: whether a retailer still answers in the shapes the parsers know."""

from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Final

import msgspec
import typer

from splitcart_scraper.app import Parts, company_of
from splitcart_scraper.commands.shell import (
    NOT_WANTED,
    CommandError,
    connected,
    execute,
    settings_to_visit,
    store_of,
)
from splitcart_scraper.domain.drift import Expected, learnt, profile
from splitcart_scraper.handlers.canary import Canary, Expectations, Verdict
from splitcart_scraper.store import Q, claims

Said = tuple[dict[str, object], str]

_DECODER: Final = msgspec.json.Decoder(Expectations)
_GRAVITY: Final = (Verdict.AS_EXPECTED, Verdict.SURVIVED, Verdict.UNSEEN, Verdict.BROKEN)


def expectations(company: str, path: Path | None) -> Expectations:
    """What is expected of a company's pages: the package's own data, or a file; none for an unknown company."""
    try:
        source = files("splitcart_scraper") / "expected" / f"{company}.json" if path is None else path
        return _DECODER.decode(source.read_bytes())
    except OSError as error:
        if path is not None:
            raise CommandError(f"{path} cannot be read: {error.strerror}", 2) from None
        return {}
    except msgspec.DecodeError as error:
        raise CommandError(f"{path} has no expectations: {error}", 2) from None


def canary(
    company: str,
    store: str | None,
    base_url: str | None,
    expect: Path | None,
    learn: Path | None,
    *,
    dev: bool,
    as_json: bool,
) -> None:
    """The verb `canary`."""
    worst = Verdict.AS_EXPECTED

    async def main() -> Said:
        nonlocal worst
        expected = expectations(company, expect)
        try:
            async with connected(settings_to_visit(company, base_url, dev=dev)) as made:
                looked = await _look_at(made, company, store, expected)
        except CommandError as error:  # a 1 would say that there is drift
            raise CommandError(str(error), NOT_WANTED if error.code == 1 else error.code) from None
        worst = max((page.verdict for page in looked.pages.values()), key=_GRAVITY.index)
        if learn is not None:
            _write(learn, looked, expected)
        return _content(company, looked, worst, expected), _words(company, looked, worst, expected)

    execute(main(), as_json=as_json)
    if worst is not Verdict.AS_EXPECTED:
        raise typer.Exit(int(worst))


def _write(path: Path, looked: Canary, expected: Expectations) -> None:
    """Write down the expectations, widened by what was seen: what is new is known from then on."""
    wider = dict(expected)
    for name, page in looked.pages.items():
        if page.documents:
            wider[name] = learnt(wider.get(name, Expected({})), profile(page.documents))
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(wider), indent=1) + b"\n")
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}", 2) from None


async def _look_at(made: Parts, company: str, store: str | None, expected: Expectations) -> Canary:
    at_work = company_of(made, company)
    key = store_of(company, store) if store is not None else await made.pool.fetchval(Q["store_to_read"], company)
    outlet = await claims.outlet(made.pool, key) if key is not None else None
    if store is not None and outlet is None:
        raise CommandError(f"{key} is not known: `splitcart stores discover` finds the stores there are")
    walker, finder = at_work.scraper.walker, at_work.discovery.fetcher
    today = await at_work.scraper.account.today()
    if today.over:
        raise CommandError(today.refusal("the canary does not look"))
    looking = Canary(walker.retailer, walker.fetcher, finder, made.clock.now(), expected)
    try:
        await looking.look(outlet, made.entropy(10))
    finally:
        await at_work.scraper.account.book()
    return looking


def _content(company: str, looked: Canary, worst: Verdict, expected: Expectations) -> dict[str, object]:
    return {
        "company": company,
        "verdict": worst.name.lower().replace("_", "-"),
        "requests": looked.requests,
        "expectations": bool(expected),
        "pages": [
            {
                "page": page.page,
                "verdict": page.verdict.name.lower().replace("_", "-"),
                "asked": page.asked,
                "broken": page.broken,
                "unseen": page.unseen,
                "drift": [asdict(drift) | {"share": round(drift.share, 3)} for drift in page.drift],
            }
            for page in looked.pages.values()
        ],
    }


def _words(company: str, looked: Canary, worst: Verdict, expected: Expectations) -> str:
    says = {
        Verdict.AS_EXPECTED: "all as expected",
        Verdict.SURVIVED: "there is drift, and the parsers still read it",
        Verdict.BROKEN: "there is drift that the parsers cannot read",
        Verdict.UNSEEN: "the retailer could not be looked at",
    }
    lines = [f"{company}: {says[worst]} ({looked.requests} requests)"]
    if not expected:
        lines.append("  nothing is on record of its shapes: --learn FILE writes down what was seen")
    for page in looked.pages.values():
        lines += [f"  {page.page}: {why}" for why in [*page.broken, *page.unseen]]
        for one in page.drift:
            seen = ", ".join(f"{kind} ({count})" for kind, count in one.seen.items()) or "nothing"
            examples = f", like {', '.join(one.examples)}" if one.examples else ""
            lines.append(
                f"  {page.page}: {one.path} {one.what}: expected {one.expected}, seen {seen}, "
                f"in {one.share:.0%}{examples}"
            )
    return "\n".join(lines)
