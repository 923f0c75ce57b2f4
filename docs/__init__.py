"""The documents. `docs.generate` writes those that follow from the code; what it says in words is here."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import NODEFAULT
from msgspec import inspect as mi

from splitcart_common.outcomes import Reason

MEANINGS: Final[Mapping[str, str]] = {
    "StoreDiscovered.name": "What the company calls the outlet.",
    "ScrapeCompleted.listings": "Distinct listings seen.",
    "ScrapeCompleted.pages": "Pages read.",
    "StoreSettled.listings": "Distinct listings the scrape saw.",
    "ProductsObserved.pages": "When each page that bears one of the listings was read.",
    "PageRead.page": "The page within its scrape.",
    "GroupException.price": "The member's own price; null: not sold there.",
    "GroupException.seen_at": "When the member was last seen to differ.",
    "BarcodeReading.barcode": "EAN-8, UPC-12, EAN-13 or GTIN-14.",
    "ListingDescribed.by": "The scrape that saw the listing so, or the barcode pass that read its barcode.",
    "ListingUnlinked.by": "Who took the link back: a rule, or the key of an operator.",
    "MemberConfirmed.store": "The member.",
    "MemberConfirmed.anchor": "The store whose prices stand for the member's.",
    "AnchorHandedOver.old": "The former anchor.",
    "AnchorHandedOver.new": "The anchor from now on.",
    "BarcodesObserved.store": "The store whose pages were read.",
    "RescrapeNeeded.store": "The store to scrape.",
    "RescrapeNeeded.why": "What cannot be judged without it, for people.",
    "ScrapeStarted.reason": "Why the store was visited.",
    "ScrapeAbandoned.reason": "What made the scraper give up.",
    "GroupsMerged.survivor": "The anchor of both from now on.",
    "address": "Street and number.",
    "anchor": "The store whose prices stand for its members'.",
    "anchor_scrape": "The anchor's scrape the member was compared with.",
    "at": "When it happened.",
    "available": "Whether it can be bought now.",
    "barcode": "As the company gives it; its check digit is for the fold to test.",
    "barred": "Whether no rule may ever link it there again: an operator said so.",
    "batch": "Number of the batch within its scrape, from 1.",
    "batches": "How many batches were published.",
    "brand": "As the company spells it.",
    "brand_id": "The brand, if one is known.",
    "by": "Id of the key that asked.",
    "categories_finished": "How many of the planned categories were read to their end.",
    "categories_planned": "How many categories were to be read.",
    "category_a": "A category of one company.",
    "category_b": "A category of another company.",
    "category_path": "The company's own categories, from the root.",
    "changes": "One entry a listing whose price changed.",
    "created": "Listings that had no price at the store before.",
    "described_at": "When it was seen so: of two descriptions the later one wins.",
    "detail": "What happened, for people.",
    "differing": "A sample of the listings whose prices differ.",
    "dissolved": "The anchor that no longer is one.",
    "division": "The company's name for a kind or region of stores.",
    "equal": "How many of the shared listings bear the same price.",
    "evidence": "What the decision rests on; free in form, for people and audits.",
    "exceptions": "Listings the member sells otherwise than its anchor: all that stand, not only new ones.",
    "finished_at": "When the visit ended.",
    "from_anchor": "The anchor it belonged to.",
    "image_url": "A picture, as the company links it.",
    "items": "The readings.",
    "key": "The name key that was learned.",
    "last_settled_at": "When the anchor's last scrape was folded; null: never.",
    "lat": "Degrees north.",
    "level": "1 other size, 2 same size and nearly the same name, 3 same category, 4 linked categories.",
    "linked": "Whether the two categories are the same thing.",
    "listings": "The listings, in the order they were seen.",
    "lon": "Degrees east.",
    "member_price": "Price for members of the company's programme.",
    "merged": "Those that are the survivor from now on.",
    "model_version": "Of the model that scored the pair.",
    "multibuy": "An offer of several for one price.",
    "name": "As the company writes it.",
    "new": "The price after.",
    "old": "The price before; null: not on record, or withdrawn.",
    "online_price": "Price when ordered online, where it differs.",
    "outcome": "What the scrape counted as (protocol.md, rule 4).",
    "own_brand": "Whether it is a brand of the company's own.",
    "page": "The page of the scrape that bore it.",
    "pages": "Pages read.",
    "parser_version": "Of the parser that read the pages.",
    "planned_categories": "What the visit set out to read.",
    "postcode": "Four digits, as text.",
    "price": "What it costs; null where the tile bears no price.",
    "product_a": "The smaller id of the pair.",
    "product_b": "The greater id of the pair.",
    "product_id": "The product.",
    "quantity": "How many.",
    "raw_hash": "Of the tile as the retailer sent it.",
    "reason": "Why, for people.",
    "received_at": "When the page had arrived.",
    "refused_skus": "Listings seen and not understood: they count as seen.",
    "refused_tiles_without_sku": "Tiles of which not even the SKU could be read: one of them bars a full scrape.",
    "requested_at": "When the page was asked for.",
    "requests": "Requests made to the retailer.",
    "retailer_ref": "What the retailer's own API calls the store, where it is not the store id.",
    "rule": "Which rule found the product.",
    "rule_version": "Of the rules that decided.",
    "scope": "`part` never withdraws anything.",
    "score": "How good a substitute it is.",
    "scrape_id": "The visit, a UUIDv7.",
    "seen": "The SKUs of a scrape that is not full; empty for a full one.",
    "seen_at": "When it was seen so.",
    "sells_online": "Whether it can be ordered from online.",
    "seq": "Count of the store's scrapes, from 1: greater is later.",
    "settled_at": "When the visit ended, as the fold counts time.",
    "shared": "How many listings both stores have.",
    "size": "As the company writes it.",
    "sizes": "Sizes in normal form.",
    "skus": "The listings.",
    "source": "From the product's page, or prefilled from another source.",
    "special": "What the tile says of the price.",
    "started_at": "When the visit began.",
    "store": "The store: `<company>:<store_id>`.",
    "state": "NSW, VIC, ...",
    "subject": "What it is about, as the key of the message.",
    "suburb": "As the company writes it.",
    "survivor": "What the others are from now on.",
    "total": "What they cost together.",
    "unchanged": "Listings whose price was the same.",
    "unit": "What the unit price is for, such as 100g.",
    "unit_price": "Price for a unit of measure.",
    "up_to_scrape": "The member's scrape that was compared: what it saw until then is its anchor's from now on.",
    "updated": "Listings whose price changed.",
    "url": "The listing's page.",
    "verdict": "What the shopper said.",
    "was": "The former price the tile shows.",
    "was_price": "The former price the tile shows.",
    "withdrawn": "Listings a full scrape did not see any more.",
}
"""What a field means where neither its name nor its type says it: by field, or by ``Struct.field`` where one
name means different things."""

HEADERS: Final[Mapping[str, str]] = {
    "event-id": "Names the message; a repeat bears the same. Computed for a fact that follows from another.",
    "event-type": "The wire name, given by hand.",
    "event-version": "The version of the type that the value is written in.",
    "occurred-at": "When it happened, with a zone; virtual time where the sandbox runs one.",
    "correlation-id": "The scrape or request it began with.",
    "causation-id": "The event it follows from; the header is left out where there is none.",
    "producer": "The service that published it.",
}
"""The headers of the envelope."""

DEAD_LETTER_HEADERS: Final[Mapping[str, str]] = {
    "dlq-topic": "The topic it stood in.",
    "dlq-partition": "Its partition there.",
    "dlq-offset": "Its offset there: a replay skips exactly the offsets that are dead letters.",
    "dlq-reason": "The reason, one of the table below.",
    "dlq-error": "What was wrong, in words; at most 2,000 bytes.",
    "dlq-service": "The service that could not read it.",
    "dlq-service-version": "That service's release.",
    "dlq-value": "`null` where the message had neither key nor value, and an empty value stands for it.",
}
"""What a dead letter bears beside its own headers."""

REASONS: Final[Mapping[Reason, str]] = {
    Reason.NO_ENVELOPE: "A header of the envelope is missing, is there twice, or cannot be read.",
    Reason.UNKNOWN_TYPE: "Its `event-type` is no event of ours.",
    Reason.UNKNOWN_VERSION: "Its `event-version` is newer than this release knows, or too old for any step.",
    Reason.WRONG_TOPIC: "It is an event of ours that belongs on another topic.",
    Reason.UNDECODABLE: "The value is no JSON, or there is no value.",
    Reason.INVALID: "The value is JSON, but a field of it is missing, of another type or out of its bounds.",
    Reason.WRONG_KEY: "The key is not UTF-8, is no store key, or names another store than the event.",
    Reason.FROM_THE_FUTURE: "It claims to have happened more than {minutes} minutes after the broker received it: "
    "folded, it would clamp its store for ever.",
}
"""When a message is a dead letter, by reason."""

PROSE: Final[Mapping[str, str]] = {
    "events": "Generated by `{command}` from `splitcart_common.topics` and `splitcart_common.events`: edit those. "
    "The same for machines: [asyncapi.json](asyncapi.json).",
    "topics": "Named `<prefix>.<name>.v<major>`, with the prefix `{prefix}` unless SPLITCART_TOPIC_PREFIX is set. "
    "Nothing is deleted by age or size; a compacted topic keeps the newest message of each key.",
    "envelope": "The headers of every message, UTF-8 text. The value is JSON, compressed with zstd on the wire. "
    "Money is integer cents; times are RFC 3339 in UTC; a store key is `<company>:<store_id>`; a listing is a "
    "company and its SKU.",
    "versions": "A field may be added with a default, and a field nobody knows is ignored; nothing is renamed or "
    "retyped: that is a new version with a step from the old one. A message is never rewritten. An older one is "
    "lifted when it is read, step by step, and validated as the newest; a version that no step leads from is a "
    "dead letter.",
    "dead letters": "What a service cannot read goes to a topic of its own, one partition, kept for ever: key, "
    "value and headers untouched, the headers below added. It is a recorded decision. Too many in a row or in "
    "ratio stop the partition instead, as then the fault is ours. {without} have none: a message of theirs that "
    "cannot be read stops its consumer. How to look at them and bring them back: "
    "[the runbook](runbooks/dead-letters.md).",
    "bad input": "What becomes of what should not be there. Whatever stands in the log is folded, ignored or a "
    "dead letter, and what comes after it is folded. Only {in_a_row} dead letters in a row, or more than "
    "{share:.0%} of the last {window} messages, stop the partition (the settings `dead_letters_*`). It is about "
    "`product-observed` where it does not say otherwise.",
}
"""The paragraphs of events.md."""

_SIMPLE: Final[Mapping[type[mi.Type], str]] = {
    mi.BoolType: "true or false",
    mi.DateTimeType: "time",
    mi.DictType: "object",
    mi.NoneType: "null",
    mi.UUIDType: "UUID",
}


def meaning(struct: mi.StructType, field: mi.Field) -> str:
    """What a field means; KeyError if nothing says so."""
    own = MEANINGS.get(f"{struct.cls.__name__}.{field.name}") or MEANINGS.get(field.name)
    if own is None and isinstance(field.type, mi.Metadata):
        own = (field.type.extra_json_schema or {}).get("description")
    if own is None:
        raise KeyError(f"{struct.cls.__name__}.{field.name} has no meaning: add one to docs.MEANINGS")
    return own


def default_words(field: mi.Field) -> str:
    """What a message means that leaves the field out."""
    return "required" if field.default is NODEFAULT else f"`{msgspec.json.encode(field.default).decode()}`"


def type_words(kind: mi.Type) -> str:
    """A type, with its bounds, as a reader says it; KeyError for a kind that no event has had yet."""
    match kind:
        case mi.Metadata():
            words = type_words(kind.type)
        case mi.StrType():
            words = f"text like `{kind.pattern}`" if kind.pattern else "text"
            words += _bounds(kind.min_length, kind.max_length)
        case mi.IntType() | mi.FloatType():
            words = ("whole number" if isinstance(kind, mi.IntType) else "number") + _bounds(kind.ge, kind.le)
        case mi.LiteralType():
            words = ", ".join(f"`{value}`" for value in kind.values)
        case mi.VarTupleType():
            most = f"at most {kind.max_length} " if kind.max_length else ""
            words = f"list of {most}{type_words(kind.item_type)}"
        case mi.UnionType():
            words = " or ".join(map(type_words, kind.types))
        case mi.StructType():
            words = f"[{kind.cls.__name__}](#{kind.cls.__name__.lower()})"
        case _:
            words = _SIMPLE[type(kind)]
    return words


def _bounds(least: float | None, most: float | None) -> str:
    if least is None:
        return "" if most is None else f" (at most {most:,})"
    return f" (at least {least:,})" if most is None else f" ({least:,} to {most:,})"
