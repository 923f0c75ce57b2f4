"""Woolworths' answers as wholes: the page of a listing, refusals, the front page, and the wall."""

from typing import Final

import orjson

from splitcart_sandbox.retailers.web import Answer, json_answer

_FRONT: Final = b"""<!DOCTYPE html>
<html lang="en-AU"><head><title>Woolworths Supermarket</title></head><body><wow-root></wow-root></body></html>
"""

WALL: Final = Answer(
    403,
    b"""<HTML><HEAD>
<TITLE>Access Denied</TITLE>
</HEAD><BODY>
<H1>Access Denied</H1>

You don't have permission to access "http&#58;&#47;&#47;www&#46;woolworths&#46;com&#46;au&#47;" on this server.<P>
Reference&#32;&#35;18&#46;9c2e1160&#46;1790000000&#46;2f0b7e55
<P>
https&#58;&#47;&#47;errors&#46;edgesuite&#46;net&#47;18&#46;9c2e1160&#46;1790000000&#46;2f0b7e55
</BODY>
</HTML>
""",
    {},
    "text/html",
)
"""What the content network answers to whom it refuses: plain HTML of some 400 bytes, nothing to solve."""


def bundles_page(total: int, bundles: list[bytes]) -> Answer:
    """A page of a listing; `total` does not count promoted products."""
    return json_answer(
        {
            "Success": True,
            "TotalRecordCount": total,
            "SeoMetaTags": {},
            "Aggregations": [{"Name": "Brand", "Type": "Multi", "Results": None}],
            "HasTobaccoItems": False,
            "Bundles": orjson.Fragment(b"[" + b",".join(bundles) + b"]"),
        }
    )


def search_page(total: int, bundles: list[bytes]) -> Answer:
    """A page of what a search found; `total` does not count promoted products."""
    found = orjson.Fragment(b"[" + b",".join(bundles) + b"]")
    return json_answer({"Products": found, "SearchResultsCount": total, "Corrections": None})


def refused(status: int, message: str) -> Answer:
    """An answer that says that it is none."""
    return json_answer({"Success": False, "Message": message}, status)


FIXED: Final = {
    # The cookie is the content network's; the calls after it bear it.
    ("GET", ""): Answer(200, _FRONT, {"set-cookie": "bm_sz=simulated; Path=/; Max-Age=14400"}, "text/html"),
    # A guest cannot choose a store.
    ("POST", "apis/ui/Fulfilment"): refused(401, "Unauthorized"),
}
"""What is answered alike to everyone."""
