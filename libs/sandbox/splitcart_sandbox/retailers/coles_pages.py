"""Coles's HTML: pages that bear the data of a Next.js shop, the page of a stale address, and the wall."""

from typing import Any, Final

import orjson

from splitcart_sandbox.retailers.web import Answer

HTML: Final = "text/html; charset=utf-8"

NOT_FOUND: Final = Answer(
    404,
    b"""<!DOCTYPE html><html lang="en-AU"><head><title>404: This page could not be found</title></head>
<body><h1>404</h1><h2>This page could not be found.</h2></body></html>
""",
    {"cache-control": "private, no-cache, no-store"},
    HTML,
)
"""What an address answers whose build id is not that of the shop, or that never was one."""

WALL: Final = Answer(
    200,
    b"""<html style="height:100%"><head><META NAME="ROBOTS" CONTENT="NOINDEX, NOFOLLOW">
<meta name="viewport" content="initial-scale=1.0"></head><body style="margin:0px;height:100%">
<iframe id="main-iframe" src="/_Incapsula_Resource?SWUDNSAI=31&xinfo=0-0-0" frameborder=0 height="100%">
Request unsuccessful. Incapsula incident ID: 0</iframe></body></html>
""",
    {"cache-control": "no-cache, no-store"},
    "text/html",
)
"""A blocked answer is 200, and HTML even where JSON was asked for; it bears no data of the shop."""


def html_page(props: dict[str, Any], build_id: str, key: str, head: bytes = b"") -> Answer:
    """An HTML page of the shop with its data, the build id, and the key of its own calls."""
    config = orjson.dumps({"BFF_API_SUBSCRIPTION_KEY": key, "BFF_API_BASE_URL": "/api/bff"})
    data = orjson.dumps(
        {"props": {"pageProps": props}, "page": "/", "query": {}, "buildId": build_id, "isFallback": False}
    )
    # Within a script element only an end tag would end it: JSON may write its slash as \\/.
    data, head = data.replace(b"</", b"<\\/"), head.replace(b"</", b"<\\/")
    linked = b'<script type="application/ld+json">%b</script>' % head if head else b""
    body = (
        b'<!DOCTYPE html><html lang="en-AU"><head><title>Coles</title>'
        b'<script>window.__RUNTIME_CONFIG__ = %b;</script>%b</head><body><div id="__next"></div>'
        b'<script id="__NEXT_DATA__" type="application/json">%b</script></body></html>\n'
    ) % (config, linked, data)
    return Answer(200, body, {}, HTML)
