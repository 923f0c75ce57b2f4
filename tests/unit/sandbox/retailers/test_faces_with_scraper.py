"""The scraper's own modules against the faces: whole stores of the chains, faults and traps, in process.

Faces and modules are both written from retailers.md; where one of them misread it, the two disagree here.
"""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import pytest

from splitcart_sandbox.retailers import coles as coles_face
from splitcart_sandbox.retailers.faults import Fault
from splitcart_sandbox.retailers.server import FACES
from splitcart_sandbox.retailers.web import Answer, Face, Hides
from splitcart_sandbox.retailers.web import Request as Asked
from splitcart_sandbox.retailers.world import World, WorldSettings, second
from splitcart_scraper.domain.listing import PageContent
from splitcart_scraper.domain.scrape import Category
from splitcart_scraper.retailers import coles as coles_module
from splitcart_scraper.retailers.aldi import Aldi
from splitcart_scraper.retailers.base import (
    DriftError,
    Ended,
    PageContext,
    PageError,
    Request,
    Retailer,
    Session,
)
from splitcart_scraper.retailers.coles import Coles
from splitcart_scraper.retailers.coles_points import POINTS
from splitcart_scraper.retailers.coles_shapes import BotWallError
from splitcart_scraper.retailers.iga import Iga
from splitcart_scraper.retailers.woolworths import Woolworths

AT = datetime(2026, 9, 3, 1, tzinfo=UTC)
MODULES: dict[str, Retailer] = {"aldi": Aldi(), "coles": Coles(), "iga": Iga(), "woolworths": Woolworths()}
COMPANIES = ("coles", "woolworths")
Answering = Callable[[int, Hides], Answer]


class Shop:
    """One company's face, its module, and a session with one of its stores."""

    def __init__(self, company: str, listings: int = 450, stores: int = 12) -> None:
        self.world = World(WorldSettings(seed=7, companies=(company,), stores=stores, listings=listings))
        self.face: Face = FACES[company](self.world)
        self.module = MODULES[company]
        self.store = [store for store in self.world.stores() if store.life.open(second(AT))][1]
        self.truth = self.world.price_list(self.store.key, AT)

    def opened(self) -> Session:
        outlet = self.store.outlet
        session = Session(self.store.key, outlet.store_id, UUID(int=1), outlet.retailer_ref)
        opening = self.module.opening(session)
        return session if opening is None else self.module.opened(session, self.ask(opening).body)

    def ask(self, request: Request, fault: Fault | None = None, hides: Hides = None) -> Answer:
        url = urlsplit(request.target)
        headers = {name.lower(): value for name, value in request.headers.items()} | {"user-agent": "splitcart"}
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        call = self.face.call(Asked(request.method, url.path.lstrip("/"), query, headers, request.body or b""))
        return call.own.get(fault or "", call.answer)(second(AT), hides)

    def categories(self, session: Session) -> tuple[Category, ...]:
        return self.module.categories(session, self.ask(self.module.tree(session)).body)

    def page(self, session: Session, category: Category, fault: Fault | None = None) -> PageContent:
        request = self.module.next_page(session, category, ())
        assert isinstance(request, Request)
        return self.module.parse(self.ask(request, fault).body, PageContext(session, category, 1))

    def walked(
        self, session: Session, category: Category, hides: Hides = None
    ) -> tuple[list[PageContent], str, bool]:
        """The pages of a category to its end, what is wrong with that, and whether its parts are to be walked."""
        read: list[PageContent] = []
        while True:
            request = self.module.next_page(session, category, read)
            if isinstance(request, Ended):
                return read, request.short, request.too_long
            answer = self.ask(request, hides=hides)
            assert answer.status == 200
            read.append(self.module.parse(answer.body, PageContext(session, category, len(read) + 1)))


class Walk(NamedTuple):
    """What a whole walk brought."""

    prices: dict[str, int | None]
    refusals: Counter[str]
    short: set[str]
    pages: int


def walk(shop: Shop) -> Walk:
    found = Walk({}, Counter(), set(), 0)
    session, pages = shop.opened(), 0
    divided: set[str | None] = {None}
    for category in shop.categories(session):
        if category.part_of not in divided:
            continue
        read, short, too_long = shop.walked(session, category)
        if too_long:
            divided.add(category.key)
        found.short.add(short)
        pages += len(read)
        for page in read:
            found.refusals.update(refusal.reason for refusal in page.refusals)
            for listing in page.listings:
                assert found.prices.setdefault(listing.sku, listing.price) == listing.price
                assert listing.available == (listing.price is not None)
                assert listing.was_price is None or listing.was_price > listing.price
    return found._replace(pages=pages)


SHOPS = {company: Shop(company) for company in MODULES}


@pytest.mark.parametrize("company", COMPANIES)
@pytest.mark.parametrize("size", [450, 0], ids=["small", "full"])
def test_a_whole_store_is_read_at_its_true_prices(company: str, size: int):
    shop = SHOPS[company] if size else Shop(company, size, 4)
    found = walk(shop)
    assert {sku: price for sku, price in found.prices.items() if price is not None} == shop.truth
    assert found.refusals == Counter()
    assert found.short == {""}
    # Goods in two departments are read twice, and the last page of each is not full.
    least = len(shop.truth) / {"coles": 48, "woolworths": 36}[company]
    assert least < found.pages < 1.3 * least + 30


@pytest.mark.parametrize("company", COMPANIES)
def test_a_short_category_is_not_noticed_by_its_end(company: str):
    """It says so many fewer itself: only the store's own past tells, which is the fold's to judge."""
    shop = SHOPS[company]
    session = shop.opened()
    category = max(shop.categories(session), key=lambda category: shop.page(session, category).total or 0)
    whole, short = (shop.walked(session, category, hides) for hides in (None, lambda sku: sku[-1] in "048"))
    assert (whole[1], short[1]) == ("", "")
    assert sum(len(page.listings) for page in short[0]) < sum(len(page.listings) for page in whole[0])


@pytest.mark.parametrize("company", [*COMPANIES, "iga"])
def test_an_answer_about_another_store_is_drift(company: str):
    shop = SHOPS[company]
    session = shop.opened()
    category = shop.categories(session)[3]
    with pytest.raises(DriftError):
        shop.page(session, category, Fault.STORE_IGNORED)


@pytest.mark.parametrize("company", MODULES)
def test_duplicates_are_read_once_and_a_missing_price_is_none(company: str):
    shop = SHOPS[company]
    session = shop.opened()
    category = max(shop.categories(session), key=lambda category: shop.page(session, category).total or 0)
    plain = {listing.sku: listing.price for listing in shop.page(session, category).listings}
    twice = shop.page(session, category, Fault.DUPLICATES)
    assert {listing.sku: listing.price for listing in twice.listings} == plain
    bare = shop.page(session, category, Fault.MISSING_PRICES)
    assert {listing.sku for listing in bare.listings} == plain.keys()
    assert 0 < sum(listing.price is None for listing in bare.listings) < len(plain)
    assert not bare.refusals


@pytest.mark.parametrize("company", COMPANIES)
def test_a_page_full_of_advertisements_says_the_same(company: str):
    shop = SHOPS[company]
    session = shop.opened()
    for category in shop.categories(session)[:4]:
        plain, full = (shop.page(session, category, fault) for fault in (None, Fault.SPONSORED))
        assert {listing.sku: listing.price for listing in full.listings} == {
            listing.sku: listing.price for listing in plain.listings
        }
        assert full.total == plain.total
        assert not full.refusals


def test_a_deployment_in_mid_scrape_is_404_until_the_front_page_is_read_again():
    shop = Shop("coles")
    session = shop.opened()
    category = shop.categories(session)[0]
    request = shop.module.next_page(session, category, ())
    assert isinstance(request, Request)
    assert shop.ask(request, Fault.NEW_BUILD).status == 404
    assert shop.ask(request).status == 404
    again = shop.opened()
    assert again.tokens != session.tokens
    assert shop.walked(again, category)[1] == ""


def test_no_more_than_the_last_page_served_is_asked_for(monkeypatch: pytest.MonkeyPatch):
    for module in (coles_face, coles_module):
        monkeypatch.setattr(module, "MOST_PAGES", 2)
    shop = Shop("coles", 1_500)
    session = shop.opened()
    pantry = next(category for category in shop.categories(session) if category.key == "pantry")
    read, short, _ = shop.walked(session, pantry)
    assert len(read) == 2
    assert short.startswith("no more than 2 pages are served: 96 of")


def test_the_wall_of_coles_is_known_as_one_and_that_of_woolworths_is_403():
    coles, woolworths = SHOPS["coles"], SHOPS["woolworths"]
    session = coles.opened()
    context = PageContext(session, coles.categories(session)[0], 1)
    with pytest.raises(BotWallError):
        coles.module.parse(coles.face.bot_wall().body, context)
    with pytest.raises(BotWallError):
        coles.module.opened(session, coles.face.bot_wall().body)
    assert woolworths.face.bot_wall().status == 403
    with pytest.raises(PageError):
        woolworths.module.parse(woolworths.face.bot_wall().body, context)


@pytest.mark.parametrize("company", COMPANIES)
def test_every_store_of_the_country_is_discovered(company: str):
    shop = Shop(company, 60, 0)
    requests, found, asked = list(shop.module.discovery()), {}, 0
    while requests:
        request = requests.pop(0)
        answer = shop.module.outlets(shop.ask(request).body, request, AT)
        found |= {outlet.store: outlet for outlet in answer.outlets}
        requests += answer.rest
        asked += 1
    stores = {store.key: store for store in shop.world.stores() if store.life.open(second(AT))}
    assert found.keys() == stores.keys()
    for key, outlet in found.items():
        told = stores[key].outlet
        assert (outlet.name, outlet.state, outlet.postcode) == (told.name, told.state, told.postcode)
        assert (outlet.lat, outlet.lon) == (told.latitude, told.longitude)
        assert shop.module.scrapable(outlet)
    if company == "coles":
        assert asked == len(POINTS) + 1
