"""The requests made to Coles: the opening page, the two GraphQL calls, and the data route of a listing."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

import msgspec

from splitcart_scraper.domain.scrape import Category
from splitcart_scraper.retailers.base import Meaning, Request, Session
from splitcart_scraper.retailers.coles_points import POINTS

BUILD: Final = "build-id"
KEY: Final = "key"
"""The tokens of a session: what the opening page gave."""

SUPERMARKETS: Final = "COL"
"""The brand of Coles's supermarkets; Liquorland and Vintage Cellars share the store finder."""

_MENU: Final = """\
query GetShopProductsMenu($storeId: BrandedId!, $withCampaignLinks: Boolean!, $campaignCount: Int) {
  menuItems: productCategories(
    storeId: $storeId, withCampaignLinks: $withCampaignLinks, campaignCount: $campaignCount
  ) {
    restrictedIds: excludedCategoryIds
    items: catalogGroupView {
      ...node
      childItems: catalogGroupView { ...node childItems: catalogGroupView { ...node } }
    }
  }
}
fragment node on ProductCategory { id name seoToken productCount type subType }"""

_STORES: Final = """\
query GetStores($brandIds: [BrandId!], $latitude: Float!, $longitude: Float!) {
  stores(brandIds: $brandIds, latitude: $latitude, longitude: $longitude) {
    results {
      store {
        id name isTrading
        address { state suburb addressLine postcode }
        position { latitude longitude }
        brand { name }
      }
    }
  }
}"""


def front_page() -> Request:
    """The page that publishes the key, asked for as no store's customer."""
    return Request("/", expects="html")


def opening_page(session: Session) -> Request:
    """The page that publishes key and build id, asked for as a customer of the store."""
    return Request("/", headers=_cookies(session), expects="html")


def menu(session: Session) -> Request:
    """The store's category tree, without links to campaigns."""
    variables = {
        "storeId": f"{SUPERMARKETS}:{padded(session.store_id)}",
        "withCampaignLinks": False,
        "campaignCount": 0,
    }
    return _graphql("GetShopProductsMenu", _MENU, variables, session.tokens[KEY], _cookies(session))


def stores(key: str) -> tuple[Request, ...]:
    """The outlets nearest to each of the points."""
    return tuple(_stores_near(latitude, longitude, key) for latitude, longitude in POINTS)


def listing(session: Session, category: Category, page: int) -> Request:
    """A page of a category, from 1.

    The build id is part of the address: after a deploy it answers 404, which is never the end of the category.
    """
    query = urlencode([*(("slug", slug) for slug in category.key.split("/")), ("page", page)])
    return Request(
        f"/_next/data/{session.tokens[BUILD]}/en/browse/{category.key}.json?{query}",
        headers=_cookies(session),
        meanings={404: Meaning.STALE},
    )


def padded(store_id: str) -> str:
    """A store's number as cookies, menu and listings write it, in four digits; the store finder does not."""
    return store_id.zfill(4)


def _cookies(session: Session) -> Mapping[str, str]:
    return {"cookie": f"fulfillmentStoreId={padded(session.store_id)}; shopping-method=clickAndCollect"}


def _stores_near(latitude: float, longitude: float, key: str) -> Request:
    variables = {"brandIds": [SUPERMARKETS], "latitude": latitude, "longitude": longitude}
    return _graphql("GetStores", _STORES, variables, key, {}, label=f"stores near {latitude:.1f},{longitude:.1f}")


def _graphql(
    operation: str,
    query: str,
    variables: Mapping[str, object],
    key: str,
    headers: Mapping[str, str],
    label: str = "",
) -> Request:
    return Request(
        "/api/graphql",
        method="POST",
        headers={**headers, "content-type": "application/json", "ocp-apim-subscription-key": key},
        body=msgspec.json.encode({"operationName": operation, "variables": variables, "query": query}),
        label=label or operation,
    )
