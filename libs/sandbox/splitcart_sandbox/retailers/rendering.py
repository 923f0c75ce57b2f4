"""What the companies' renderings have in common: money, slugs and made-up ids."""

import re
from hashlib import blake2b
from uuid import UUID

from splitcart_sandbox.retailers.noise import salt


def dollars(cents: int) -> str:
    """469 as ``$4.69``."""
    return f"${cents // 100}.{cents % 100:02}"


def amount(cents: int) -> int | float:
    """450 as 4.5 dollars, 400 as 4: as JSON writes numbers that have no type."""
    whole, rest = divmod(cents, 100)
    return cents / 100 if rest else whole


def slug_of(text: str) -> str:
    """Lower case, words joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")


def uuid_of(text: str) -> UUID:
    """The id of what a text names, the same in every world."""
    return UUID(bytes=blake2b(text.encode(), digest_size=16).digest(), version=4)


def in_store_code(item: str) -> str:
    """A barcode of 13 digits of a shop's own making.

    It begins with 2, which GS1 keeps free for codes that mean nothing outside of a shop.
    """
    return checked(f"2{salt('in-store', item) % 10**11:011}")


def checked(digits: str) -> str:
    """Twelve digits with the check digit that makes them a barcode."""
    check = -sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10
    return f"{digits}{check}"
