"""What the companies' renderings have in common: money, slugs and made-up ids."""

import re
from hashlib import blake2b
from uuid import UUID


def dollars(cents: int) -> str:
    """469 as ``$4.69``."""
    return f"${cents // 100}.{cents % 100:02}"


def slug_of(text: str) -> str:
    """Lower case, words joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")


def uuid_of(text: str) -> UUID:
    """The id of what a text names, the same in every world."""
    return UUID(bytes=blake2b(text.encode(), digest_size=16).digest(), version=4)
