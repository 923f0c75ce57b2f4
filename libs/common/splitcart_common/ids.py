"""Natural keys and event ids.

Keys are what a replay into an empty database must mean the same by, so no database id is among them.
Ids of facts that can be computed from their cause are computed, so a repeat bears the same id.
"""

import re
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

COMPANIES: Final = ("aldi", "coles", "woolworths", "iga")
"""The company keys, lower case, in the order pages and tables show them."""

STORE_KEY_PATTERN: Final = r"^[a-z][a-z0-9-]{0,31}:[A-Za-z0-9_.-]{1,64}$"
"""A store key is ``<company>:<store_id>``, for example ``aldi:G452``."""

_STORE_KEY = re.compile(STORE_KEY_PATTERN)


def store_key(company: str, store_id: str) -> str:
    """Join a company key and the retailer's store id; ValueError if the result is no store key."""
    key = f"{company}:{store_id}"
    if not _STORE_KEY.fullmatch(key):
        raise ValueError(f"{key!r} is not a store key: expected <company>:<store_id>, like aldi:G452")
    return key


def split_store_key(store: str) -> tuple[str, str]:
    """Company key and the retailer's store id of a store key; ValueError if it is none."""
    if not _STORE_KEY.fullmatch(store):
        raise ValueError(f"{store!r} is not a store key: expected <company>:<store_id>, like aldi:G452")
    company, _, store_id = store.partition(":")
    return company, store_id


def company_of(store: str) -> str:
    """The company key of a store key that is known to be one."""
    return store.partition(":")[0]


def scrape_id(at: datetime, entropy: bytes) -> UUID:
    """A UUIDv7 (RFC 9562) for a scrape claimed `at` (aware UTC), from 10 random bytes given by the caller."""
    if len(entropy) != 10:
        raise ValueError(f"a scrape id takes 10 bytes of entropy, got {len(entropy)}")
    milliseconds = int(at.timestamp() * 1000) & ((1 << 48) - 1)
    random_a = int.from_bytes(entropy[:2], "big") & 0x0FFF
    random_b = int.from_bytes(entropy[2:], "big") & ((1 << 62) - 1)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | random_a << 64 | 0b10 << 62 | random_b)


def batch_id(scrape: UUID, batch: int) -> UUID:
    """The event id of a scrape's batch: the same however often it is published."""
    return uuid5(scrape, str(batch))


def derived_id(cause: UUID, kind: str) -> UUID:
    """The event id of a fact derived from another: one per cause and kind (protocol.md, rule 3)."""
    return uuid5(cause, kind)
