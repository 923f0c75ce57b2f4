"""How many listing pages a second of one core the simulator serves, by company: ``python -m benchmarks.pages``.

Counted is the CPU time of the simulator's process, user's and kernel's, from request to last byte over HTTP, so
that neither the client nor what else the machine does is measured. The scraper's own modules walk stores of full
size: at first all pages are new to it, then the same ones are asked for again.
"""

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit
from uuid import UUID

import orjson
import psutil

from benchmarks.measure import say
from splitcart_common.clock import ScaledClock
from splitcart_sandbox.services import COMPANIES
from splitcart_scraper.domain.listing import PageContent
from splitcart_scraper.retailers import retailer_of
from splitcart_scraper.retailers.base import Ended, PageContext, Request, Session

STORES, VISITED = 20, 3


def simulator(company: str) -> subprocess.Popen[bytes]:
    """The simulated retailer, as a process of its own; its first line says where it listens."""
    told = {
        "SPLITCART_CLOCK": str(ScaledClock(datetime(2026, 9, 3, tzinfo=UTC), datetime.now(UTC), 1.0)),
        "SPLITCART_SIMULATOR_PORT": "0",
        "SPLITCART_SIMULATOR_COMPANIES": company,
        "SPLITCART_SIMULATOR_STORES": str(STORES),
        "SPLITCART_SIMULATOR_LATENCY_SECONDS": "0",
    }
    command = [sys.executable, "-m", "splitcart_sandbox.retailers"]
    return subprocess.Popen(command, env=os.environ | told, stdout=subprocess.PIPE)


class Client:
    """One connection to one company of a simulator."""

    def __init__(self, company: str, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        address = orjson.loads(process.stdout.readline())["listening"]
        self.company, self._connection = company, http.client.HTTPConnection(urlsplit(address).netloc)

    def ask(self, request: Request) -> tuple[int, bytes]:
        """Status and body."""
        headers = {"user-agent": "splitcart-bench", **request.headers}
        self._connection.request(request.method, f"/{self.company}{request.target}", request.body, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def stores(self) -> list[Session]:
        """Sessions with some stores that trade."""
        self._connection.request("GET", "/truth/stores")
        found = orjson.loads(self._connection.getresponse().read())["stores"]
        every = [store for store in found if store["closed_at"] is None]
        return [
            Session(store["store"], store["store"].partition(":")[2], UUID(int=1), store["retailer_ref"] or None)
            for store in every[:VISITED]
        ]


def listing_pages(client: Client) -> Iterator[Request]:
    """The request for every listing page of some stores, as a scrape makes them."""
    retailer = retailer_of(client.company)
    for store in client.stores():
        opening = retailer.opening(store)
        session = store if opening is None else retailer.opened(store, client.ask(opening)[1])
        for category in retailer.categories(session, client.ask(retailer.tree(session))[1]):
            read: list[PageContent] = []
            if category.part_of is not None:
                continue  # a part of what is walked as a whole
            while not isinstance(request := retailer.next_page(session, category, read), Ended):
                status, body = client.ask(request)
                if status != http.HTTPStatus.OK:
                    break
                yield request
                read.append(retailer.parse(body, PageContext(session, category, len(read) + 1)))


def measure(company: str) -> dict[str, object]:
    """Milliseconds of CPU a page, asked for the first time and the second."""
    with simulator(company) as process:
        requests = list(listing_pages(Client(company, process)))
        process.terminate()
    spent: list[float] = []
    with simulator(company) as process:
        client, times = Client(company, process), psutil.Process(process.pid).cpu_times
        for _ in range(2):
            before, size = times(), 0
            began = time.perf_counter()
            for request in requests:
                status, body = client.ask(request)
                assert status == http.HTTPStatus.OK
                size += len(body)
            wall, after = time.perf_counter() - began, times()
            spent.append(after.user + after.system - before.user - before.system)
        process.terminate()
    new, again = (1000 * seconds / len(requests) for seconds in spent)
    return {
        "company": company,
        "pages": len(requests),
        "kib_a_page": round(size / len(requests) / 1024),
        "cpu_ms_new": round(new, 3),
        "cpu_ms_again": round(again, 3),
        "pages_a_core_second": round(1000 / max(new, again)),
        "pages_a_wall_second": round(len(requests) / wall),
    }


def main() -> int:
    """Measure all and print; 1 where one serves fewer than 1,000 pages a second of a core."""
    lines = []
    for company in COMPANIES:
        say(f"-- {company}")
        lines.append(measure(company))
        print(json.dumps(lines[-1]), flush=True)
    return int(any(float(str(line["pages_a_core_second"])) < 1_000 for line in lines))


if __name__ == "__main__":
    sys.exit(main())
