"""Which product a listing is: by barcode, by its own link, by a learned key, by its name (docs/identity.md).

`decide` and `unmerge` take the catalogue as it is and say what follows, without touching it. What is decided
carries its evidence and the version of the rules, so that a replay repeats decisions and does not make them.
"""

from dataclasses import dataclass
from itertools import count
from typing import Any, Final, Literal
from uuid import UUID, uuid5

from splitcart_common.events import (
    CatalogueEvent,
    KeyVariationLearned,
    ListingDescribed,
    ListingLinked,
    ListingUnlinked,
    ProductRegistered,
    ProductsMerged,
    UnmergeRequested,
)
from splitcart_ingest.domain.barcodes import valid_barcode
from splitcart_ingest.domain.catalogue import Catalogue, Linked, LinkRow, ListingId
from splitcart_ingest.domain.mates import Mate, by_barcode, by_key, by_name, codes_of, survivor_of
from splitcart_ingest.domain.names import Reading, read

RULE_VERSION: Final = "1"
"""Of all that has a say: normal forms, sizes, word classes, weights, rules. A test holds their results to it."""

BARCODE_SAYS_OTHERWISE: Final = "rule:barcode"
"""Who takes back a link that rested on names, once barcodes say that they were wrong."""

_NAMESPACE: Final = UUID("6f0d6c1e-6f3b-5d0f-9d3c-5a1f0c2b7e11")

Rule = Literal["barcode", "own-link", "name-key", "variation"]


@dataclass(frozen=True, slots=True)
class _Case:
    """A listing that is judged: `row.product_id` says nothing yet, `code` is its barcode if that is trusted."""

    row: LinkRow
    reading: Reading
    code: str | None

    @property
    def listing(self) -> ListingId:
        return self.row.company, self.row.sku

    def linked(self, product: UUID, rule: Rule, **evidence: Any) -> ListingLinked:
        company, sku, _, name, brand, size, barcode = self.row
        return ListingLinked(
            company=company,
            sku=sku,
            product_id=product,
            rule=rule,
            evidence={"key": self.reading.key, "barcode": self.code, **evidence},
            rule_version=RULE_VERSION,
            name=name,
            brand=brand,
            size=size,
            barcode=barcode,
        )


def own_product_id(company: str, sku: str, nth: int = 0) -> UUID:
    """The product a listing founds; `nth` counts those it founded before and was parted from."""
    return uuid5(_NAMESPACE, f"listing {company}/{sku}" if nth == 0 else f"listing {company}/{sku} apart {nth}")


def decide(catalogue: Catalogue, described: ListingDescribed) -> tuple[CatalogueEvent, ...]:
    """Which product a listing is, as it is described now; () if that says nothing new."""
    listing = (described.company, described.sku)
    known = catalogue.linked(listing)
    row = LinkRow(*listing, _NAMESPACE, described.name, described.brand, described.size, described.barcode)
    if known is not None:
        row = row._replace(product_id=known.row.product_id)
        if row == known.row:
            return ()
    code = valid_barcode(row.barcode)
    if code is not None and not catalogue.trusts(code, listing):
        code = None
    case = _Case(row, read(described.name, row.brand, row.size), code)
    if known is not None:
        return _described_anew(catalogue, case, known)
    finding = (catalogue, listing, case.reading, code)
    mate = by_barcode(*finding) or by_key(*finding) or by_name(*finding)
    return _on_its_own(catalogue, case) if mate is None else _joined(catalogue, case, mate)


def unmerge(catalogue: Catalogue, requested: UnmergeRequested) -> tuple[CatalogueEvent, ...]:
    """An operator's word that a listing is not the product; ValueError if the subject is no `company/sku`."""
    company, slash, sku = requested.subject.partition("/")
    if not (company and slash and sku):
        raise ValueError(f"{requested.subject!r} names no listing: expected company/sku, like coles/8150288")
    return part(catalogue, (company, sku), requested.product_id, by=requested.by, reason=requested.reason)


def part(
    catalogue: Catalogue, listing: ListingId, product: UUID, *, by: str, reason: str
) -> tuple[CatalogueEvent, ...]:
    """Part a listing from a product for good, onto one of its own.

    () if it is not (any more) that product, or all there is of it.
    """
    known = catalogue.linked(listing)
    if known is None or known.row.product_id != catalogue.resolve(product):
        return ()
    if len(catalogue.listings_of(known.row.product_id)) == 1:
        return ()
    case = _Case(known.row, known.reading, known.barcode)
    return _parted(catalogue, case, by=by, reason=reason, barred=True)


def _described_anew(catalogue: Catalogue, case: _Case, known: Linked) -> tuple[CatalogueEvent, ...]:
    """A listing stays where it is, whatever it is called now, unless its barcode says otherwise."""
    here = known.row.product_id
    others = catalogue.listings_of(here) - {case.listing}
    codes = codes_of(catalogue, others)
    if case.code is None or case.code in codes:
        return (case.linked(here, "own-link"),)
    mate = by_barcode(catalogue, case.listing, case.reading, case.code)
    if mate is not None and mate.product != here:
        parted = any(here in catalogue.barred(theirs) for theirs in catalogue.listings_of(mate.product))
        return _joined(catalogue, case, mate) if others or parted else _taken_along(catalogue, case, mate)
    rested_on_a_name = known.barcode is None or not catalogue.trusts(known.barcode, case.listing)
    if mate is None and codes and rested_on_a_name:
        return _parted(catalogue, case, by=BARCODE_SAYS_OTHERWISE, reason="the others bear another barcode")
    return (case.linked(here, "own-link"),)


def _taken_along(catalogue: Catalogue, case: _Case, mate: Mate) -> tuple[CatalogueEvent, ...]:
    """The last listing of a product leaves it: the product goes with it, so that its id stays good."""
    here, there = case.row.product_id, mate.product
    survivor = survivor_of(catalogue, (here, there))
    merged = ProductsMerged(
        survivor=survivor,
        merged=(there if survivor == here else here,),
        reason="barcode",
        evidence={"barcode": case.code, "listing": "/".join(case.listing), "rule_version": RULE_VERSION},
    )
    return merged, *_joined(catalogue, case, mate, survivor)


def _joined(
    catalogue: Catalogue, case: _Case, mate: Mate, survivor: UUID | None = None
) -> tuple[CatalogueEvent, ...]:
    """A listing becomes one of a product's; what a barcode brought under another name teaches that name's key."""
    product = survivor or mate.product
    linked = case.linked(product, mate.rule, **mate.evidence)
    if mate.rule != "barcode" or not case.reading.key or case.reading.key in _keys(catalogue, mate.product):
        return (linked,)
    company, sku = case.listing
    return linked, KeyVariationLearned(product_id=product, key=case.reading.key, company=company, sku=sku)


def _keys(catalogue: Catalogue, product: UUID) -> set[str]:
    """The name keys that a product is known by."""
    listings = (catalogue.linked(listing) for listing in catalogue.listings_of(product))
    return {linked.reading.key for linked in listings if linked is not None} | catalogue.learned(product)


def _parted(
    catalogue: Catalogue, case: _Case, *, by: str, reason: str, barred: bool = False
) -> tuple[CatalogueEvent, ...]:
    """A listing leaves its product for one of its own."""
    company, sku = case.listing
    here = case.row.product_id
    parted = ListingUnlinked(company=company, sku=sku, product_id=here, by=by, barred=barred, reason=reason)
    return parted, *_on_its_own(catalogue, case, leaving=here)


def _on_its_own(catalogue: Catalogue, case: _Case, leaving: UUID | None = None) -> tuple[CatalogueEvent, ...]:
    """A listing founds a product, or goes back to one that it founded and that stands empty."""
    company, sku = case.listing
    for nth in count():
        product = own_product_id(company, sku, nth)
        taken = product == leaving or product in catalogue.barred(case.listing)
        if not taken and catalogue.resolve(product) == product and not catalogue.listings_of(product):
            break
    linked = case.linked(product, "own-link", founded=True)
    if catalogue.is_registered(product):
        return (linked,)
    registered = ProductRegistered(
        product_id=product,
        company=company,
        sku=sku,
        name=case.row.name or sku,
        brand_id=catalogue.brand(case.reading.brand),
        sizes=case.reading.sizes.normal_forms,
    )
    return registered, linked
