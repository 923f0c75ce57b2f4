"""Who we say we are: nobody on the public internet is visited without a contact they can reach."""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

_MAIL: Final = re.compile(r"[\w.+-]+@((?:[a-z0-9-]+\.)+[a-z]{2,})", re.IGNORECASE)
_PAGE: Final = re.compile(r"https?://((?:[a-z0-9-]+\.)+[a-z]{2,})", re.IGNORECASE)
_NOBODY: Final = re.compile(r"(?:^|\.)(?:example(?:\.(?:com|net|org))?|test|invalid|localhost)$", re.IGNORECASE)
"""Domains that RFC 2606 keeps for examples: mail to them reaches nobody."""
_OURS: Final = re.compile(r"\.(?:localhost|local|internal|test|invalid|example)$")
"""Names that no public host bears."""


def names_contact(user_agent: str) -> bool:
    """Whether a user agent has a mail address or a web page in it that can be somebody's."""
    found = [*_MAIL.findall(user_agent), *_PAGE.findall(user_agent)]
    return any(not _NOBODY.search(domain) for domain in found)


def is_public(address: str) -> bool:
    """Whether an address is on the public internet: not this machine, a private network, or a container's name."""
    host = (urlsplit(address).hostname or "").rstrip(".")
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host and not _OURS.search(host)
