#!/usr/bin/env python3
"""Whether GET of an http address answers 200: a container's health check, as its image has no curl.

What was answered is printed: `docker inspect` keeps it, and /readyz says what a service waits for.
"""

import http.client
import sys
from urllib.parse import urlsplit

SECONDS = 4


def main(address: str) -> int:
    """The exit code, 0 or 1, as Docker wants it."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.netloc, timeout=SECONDS)
    try:
        connection.request("GET", parts.path)
        answer = connection.getresponse()
        sys.stdout.write(f"{answer.status} {answer.read(2000).decode(errors='replace')}")
    except (OSError, http.client.HTTPException) as error:
        sys.stdout.write(f"no answer from {address}: {error}\n")
        return 1
    finally:
        connection.close()
    return 0 if answer.status == http.client.OK else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
