"""What a host keeps of its visitors' manners, in process."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest

from splitcart_common.clock import FrozenClock
from splitcart_sandbox.retailers import ledger as module
from splitcart_sandbox.retailers.faults import PROFILES, Fault
from splitcart_sandbox.retailers.ledger import Ledger
from splitcart_sandbox.retailers.server import Simulator
from splitcart_sandbox.retailers.settings import SimulatorSettings
from splitcart_sandbox.retailers.web import Answer, Call

NOW = datetime(2026, 9, 3, 1, tzinfo=UTC)
CALL = Call("other", "", "", lambda _at, _: Answer(200, b""))


class Watch:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.at = 100.0

    def time(self) -> float:
        return 1_000.0

    def monotonic(self) -> float:
        return self.at


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    watch = Watch()
    monkeypatch.setattr(module, "time", watch)
    return watch


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    settings = SimulatorSettings(stores=4, listings=100, latency_seconds=0, retry_after_seconds=30)
    simulator = Simulator(settings, FrozenClock(NOW))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(simulator), base_url="http://simulator") as client:
        yield client


def asked(ledger: Ledger, watch: Watch, retry_after: float = 0.0) -> None:
    with ledger.serving("aldi", CALL) as request:
        watch.at += 1
        request.retry_after = retry_after


def test_a_host_that_asked_for_patience_sees_who_has_none(watch: Watch):
    ledger = Ledger()
    asked(ledger, watch, retry_after=10)
    watch.at += 9.5
    asked(ledger, watch)
    watch.at += 0.5
    asked(ledger, watch)
    counts = ledger.counts()
    assert (counts["asked_to_wait"], counts["too_soon"]) == ({"aldi": 1}, {"aldi": 1})


def test_a_shorter_wait_does_not_undo_a_longer_one(watch: Watch):
    ledger = Ledger()
    with ledger.serving("aldi", CALL) as first, ledger.serving("aldi", CALL) as second:
        first.retry_after, second.retry_after = 10, 2
    watch.at += 5
    asked(ledger, watch)
    assert ledger.counts()["too_soon"] == {"aldi": 1}


def test_who_is_held_back_is_not_waited_on(watch: Watch):
    ledger = Ledger()
    with ledger.serving("aldi", CALL) as slow:
        slow.fault = Fault.TIMEOUT.value
        asked(ledger, watch)
        assert ledger.counts()["max_awaited"] == {"aldi": 1}
        with ledger.serving("aldi", CALL):
            asked(ledger, watch)
    counts = ledger.counts()
    assert (counts["max_awaited"], counts["max_in_flight"]) == ({"aldi": 2}, {"aldi": 3})


@pytest.mark.parametrize(("kind", "waits"), [("throttled", 1), ("unavailable", 1), ("error", 0)])
async def test_an_answer_that_asks_to_wait_is_one_with_retry_after(client, kind, waits):
    await client.post("/faults", json={"company": "aldi", "kind": kind, "count": 1})
    answer = await client.get("/aldi/v2/product-category-tree")
    assert ("retry-after" in answer.headers) == bool(waits)
    await client.get("/aldi/v2/product-category-tree")
    counts = (await client.get("/truth/requests")).json()
    assert (counts["asked_to_wait"], counts["too_soon"]) == ({"aldi": waits}, {"aldi": waits})


def test_a_hostile_retailer_has_every_fault_there_is():
    assert PROFILES["hostile"].keys() == set(Fault)
    assert PROFILES["mild"].keys() < set(Fault)
    for fault, rate in PROFILES["mild"].items():
        assert PROFILES["hostile"][fault] >= rate
