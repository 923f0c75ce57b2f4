"""Dead letters brought back by the one who may append to product-observed; what may not be is refused with why."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID, uuid5

import msgspec
import pytest

from splitcart_common import codec, events
from splitcart_common.events import ProductsObserved, ScrapeCompleted, ScrapeStarted
from splitcart_common.ids import batch_id
from splitcart_common.kafka import ensure_topics
from splitcart_common.outcomes import Reason
from splitcart_common.reading import reading
from splitcart_common.topics import ALL, PRICE_CHANGED, PRODUCT_OBSERVED, REQUESTS, STORES, Topic
from splitcart_scraper.commands.shell import publishing
from splitcart_scraper.handlers.letters import Wanted, read, spans
from splitcart_scraper.handlers.redrive import Redriver, Step
from tests.support.bus import Raw, Said, publish, read_events, read_topic, say
from tests.support.cli import splitcart
from tests.support.ingest import Reference, caught_up, fold_in, running, served_in
from tests.support.ingest import settings as ingest_settings
from tests.support.letters import bury, messages_of
from tests.support.scraper.clocks import START
from tests.support.scraper.rig import Rig, later, rigged
from tests.support.scraper.tiny_aldi import FRUIT, TinyAldi, tile

pytestmark = pytest.mark.stack

STORE = "aldi:G001"
LISTINGS = 450  # three batches


@dataclass
class Bench:
    """A scraper, a broker, and what stands in product-observed."""

    rig: Rig
    broker: str
    prefix: str

    async def relay(self) -> None:
        """Publish all that waits."""
        async with publishing(self.rig.made):
            pass

    async def scrape(self) -> UUID:
        """Scrape the store and publish it."""
        finished = await self.rig.scrape()
        assert finished.ending == "completed", finished
        await self.relay()
        return finished.claim.run.scrape_id

    async def observed(self, scrape: UUID) -> list[Raw]:
        """The messages of a scrape."""
        raws = await messages_of(self.broker, self.prefix, PRODUCT_OBSERVED)
        return [raw for raw in raws if dict(raw.headers)["correlation-id"] == str(scrape).encode()]

    async def bury(self, raws: Sequence[Raw], topic: Topic = PRODUCT_OBSERVED, service: str = "ingest",
                   reason: Reason = Reason.INVALID) -> None:  # fmt: skip
        await bury(self.broker, self.prefix, topic, service, raws, reason)

    async def redrive(self, *, act: bool = True, wanted: Wanted | None = None) -> list[Step]:
        """What `dlq redrive` does."""
        wanted = wanted or Wanted()
        async with reading(self.broker, self.prefix) as reader:
            redriver = Redriver(self.rig.made.pool, self.rig.clock, self.prefix, reader, self.rig.made.entropy)
            where = await spans(reader, self.prefix, wanted)
            steps = await redriver.run(read(reader, where, wanted), act=act)
        await self.relay()
        return steps

    def said(self) -> list[events.Event]:
        """All that stands in product-observed."""
        return [event for _, _, event in read_events(self.broker, self.prefix, PRODUCT_OBSERVED)]


@asynccontextmanager
async def benched(database: str, broker: str, prefix: str) -> AsyncIterator[Bench]:
    aldi = TinyAldi(stores=[1], shelves={FRUIT: [tile(n, 100 + n) for n in range(1, LISTINGS + 1)]})
    await ensure_topics(broker, prefix, ALL)
    async with rigged(database, aldi, topic_prefix=prefix, kafka_bootstrap=broker) as rig:
        await rig.discover()
        await rig.hush()
        yield Bench(rig, broker, prefix)


def actions(steps: Sequence[Step]) -> list[str]:
    return [step.action for step in steps]


def is_batch(raw: Raw, number: int) -> bool:
    return f'"batch":{number},'.encode() in (raw.value or b"")[:200]


async def test_a_lost_batch_comes_back_as_a_scrape_that_only_adds(database: str, broker: str, topic_prefix: str):
    async with benched(database, broker, topic_prefix) as bench:
        scrape = await bench.scrape()
        (lost,) = [raw for raw in await bench.observed(scrape) if is_batch(raw, 2)]
        await bench.bury([lost, lost])  # a relay that was killed said it twice
        before = bench.said()
        later(bench.rig, hours=3)

        planned, repeated = await bench.redrive(act=False)
        assert (repeated.action, repeated.why) == ("done", "another letter is of the same message")
        assert (planned.action, planned.scrape_id) == ("redrive", None)
        assert planned.why == f"200 listings that scrape {scrape} saw from 2026-09-01T08:00+00:00 on"
        assert bench.said() == before, "nothing is done in a dry run"

        done, _ = await bench.redrive()
        assert done.action == "redrive"
        messages = read_events(broker, topic_prefix, PRODUCT_OBSERVED)[len(before) :]
        assert {key for key, _, _ in messages} == {STORE}
        started, observed, completed = (event for _, _, event in messages)
        assert isinstance(started, ScrapeStarted)
        assert isinstance(observed, ProductsObserved)
        assert isinstance(completed, ScrapeCompleted)
        assert (started.reason, started.scope, started.scrape_id) == ("redrive", "part", done.scrape_id)
        genuine = next(one for one in before if isinstance(one, ProductsObserved) and one.batch == 2)
        assert observed == msgspec.structs.replace(genuine, scrape_id=done.scrape_id, batch=1)
        assert started.started_at == min(page.requested_at for page in genuine.pages), "the old observed times"
        assert (completed.batches, completed.listings, completed.requests) == (1, 200, 0)
        assert {envelope.correlation_id for _, envelope, _ in messages} == {done.scrape_id}
        assert [envelope.causation_id for _, envelope, _ in messages] == [None, batch_id(scrape, 2), None]

        again, _ = await bench.redrive()
        assert (again.action, again.scrape_id) == ("done", done.scrape_id)
        assert len(bench.said()) == len(before) + 3


async def test_two_letters_of_a_scrape_may_come_back_one_after_the_other(
    database: str, broker: str, topic_prefix: str
):
    async with benched(database, broker, topic_prefix) as bench:
        scrape = await bench.scrape()
        lost = [raw for raw in await bench.observed(scrape) if is_batch(raw, 1) or is_batch(raw, 3)]
        await bench.bury(lost)
        one, other = (f"product-observed.ingest.dlq/0/{n}" for n in range(2))
        assert actions(await bench.redrive(wanted=Wanted(names=frozenset({other})))) == ["redrive"]
        steps = await bench.redrive()
        assert [(step.letter.name, step.action) for step in steps] == [(one, "redrive"), (other, "done")]


async def test_letters_of_one_scrape_become_one(database: str, broker: str, topic_prefix: str):
    async with benched(database, broker, topic_prefix) as bench:
        scrape = await bench.scrape()
        lost = [raw for raw in await bench.observed(scrape) if is_batch(raw, 1) or is_batch(raw, 3)]
        await bench.bury(lost[::-1])
        steps = await bench.redrive()
        assert len({step.scrape_id for step in steps}) == 1
        batches = [one for one in bench.said() if isinstance(one, ProductsObserved)][-2:]
        assert [(one.batch, len(one.listings)) for one in batches] == [(1, 200), (2, 50)]


async def test_where_the_start_was_dead_all_that_followed_it_comes_back(
    database: str, broker: str, topic_prefix: str
):
    """Its batches were ignored, as of a scrape that never began: they are no letters, and lost all the same."""
    async with benched(database, broker, topic_prefix) as bench:
        scrape = await bench.scrape()
        raws = await bench.observed(scrape)
        await bench.bury([raws[0], *(raw for raw in raws if is_batch(raw, 3))])
        steps = await bench.redrive()
        assert actions(steps) == ["redrive", "redrive"]
        batches = [one for one in bench.said() if isinstance(one, ProductsObserved)][-3:]
        assert [(one.batch, len(one.listings)) for one in batches] == [(1, 200), (2, 200), (3, 50)]


async def test_a_start_that_came_again_has_lost_nothing(database: str, broker: str, topic_prefix: str):
    async with benched(database, broker, topic_prefix) as bench:
        scrape = await bench.scrape()
        raws = await bench.observed(scrape)
        await publish(broker, topic_prefix, [said_again(raw) for raw in raws])
        await bench.bury(raws[:1])
        (step,) = await bench.redrive()
        assert (step.action, step.why) == (
            "refused",
            "its start came again and was folded, and so was what followed it",
        )


def said_again(raw: Raw) -> Said:
    return Said(raw.key or b"", raw.value, raw.headers, PRODUCT_OBSERVED)


async def test_it_is_refused_once_the_store_was_scraped_again(database: str, broker: str, topic_prefix: str):
    async with benched(database, broker, topic_prefix) as bench:
        scrape = await bench.scrape()
        lost = [raw for raw in await bench.observed(scrape) if is_batch(raw, 2)]
        await bench.bury(lost)
        later(bench.rig, days=1)
        finished = await bench.rig.scrape()  # it waits in the outbox
        second = finished.claim.run.scrape_id
        for _ in range(2):  # first it is only on record here, then in the log
            (step,) = await bench.redrive()
            assert step.action == "refused"
            assert f"the store was scraped again, at 2026-09-02T08:00+00:00 (scrape {second})" in step.why
        await bench.rig.made.pool.execute("DELETE FROM runs WHERE scrape_id = $1", second)
        (step,) = await bench.redrive()
        assert (step.action, str(second) in step.why) == ("refused", True), "the log knows it too"
        assert sum(isinstance(one, ScrapeStarted) for one in bench.said()) == 2


async def test_what_is_still_dead_or_not_ours_is_refused_with_what_to_do(
    database: str, broker: str, topic_prefix: str
):
    async with benched(database, broker, topic_prefix) as bench:
        scrape = await bench.scrape()
        _, *batches, completed = await bench.observed(scrape)
        stranger = replace(batches[0], key=b"aldi:G999")
        request = events.RescrapeRequested(subject=STORE, by="k", reason="old")
        asked = say(STORE, request, event_id=scrape, correlation_id=scrape, at=START)
        settled = events.PricesWithdrawn(store=STORE, scrape_id=scrape, seq=1, at=START, skus=())
        derived = say("aldi", settled, event_id=scrape, correlation_id=scrape, at=START)
        await bench.bury([replace(batches[0], value=b"{", offset=100), completed, replace(stranger, offset=101)])
        await bench.bury([batches[1]], reason=Reason.FROM_THE_FUTURE)
        await bench.bury([Raw(0, 7, asked.key, asked.value, asked.headers)], REQUESTS, "scraper")
        await bench.bury([Raw(0, 8, derived.key, derived.value, derived.headers)], PRICE_CHANGED, "grouping")
        steps = await bench.redrive()
        assert set(actions(steps)) == {"refused"}
        whys = {step.letter.source: step.why for step in steps}
        partition = completed.partition
        assert whys[f"product-observed/{partition}/100"].startswith("dead for another reason: undecodable: ")
        assert whys[f"product-observed/{partition}/101"].startswith("aldi:G999 is no store of this scraper")
        assert whys[f"product-observed/{partition}/{completed.offset}"].startswith("it bears no prices")
        assert whys[f"product-observed/{partition}/{batches[1].offset}"].startswith(
            "still dead: from-the-future: "
        )
        assert whys["requests/0/7"] == f"`splitcart schedule flag {STORE}` does what it asked for"
        assert whys["price-changed/0/8"].startswith("price-changed is derived from other topics")
        assert len(bench.said()) == 5


async def test_barcodes_and_the_state_of_a_store_are_said_again(database: str, broker: str, topic_prefix: str):
    async with benched(database, broker, topic_prefix) as bench:
        reading_of = events.BarcodeReading("000000000000000001", "9310072000015", START, "page")
        barcodes = events.BarcodesObserved(company="aldi", store=STORE, items=(reading_of,))
        ident = uuid5(UUID(int=0), "barcodes")
        said = say(STORE, barcodes, event_id=ident, correlation_id=ident, at=START)
        await bench.bury([Raw(0, 0, said.key, said.value, said.headers)])
        texts = dict.fromkeys(("address", "suburb", "state", "postcode"), "")
        outlet = events.StoreDiscovered(
            store=STORE, name="as it was", lat=None, lon=None, sells_online=False, seen_at=START, **texts
        )
        old = say(STORE, outlet, event_id=ident, correlation_id=ident, at=START)
        await bench.bury([Raw(1, 3, old.key, old.value, old.headers)], STORES, "grouping")
        steps = await bench.redrive()
        assert actions(steps) == ["say-again", "say-again"]
        ((key, envelope, event),) = read_events(broker, topic_prefix, PRODUCT_OBSERVED)
        assert (key, event, envelope.causation_id, envelope.occurred_at) == (STORE, barcodes, ident, START)
        assert envelope.event_id != ident
        ((_, _, now),) = read_events(broker, topic_prefix, STORES)
        assert (now.store, now.name) == (STORE, "Store 1"), "what is known now, not what was said then"
        assert actions(await bench.redrive()) == ["done", "done"]
        await bench.rig.made.pool.execute("UPDATE stores SET closed_at = $1", START)
        await bench.bury([Raw(1, 4, old.key, old.value, old.headers)], STORES, "grouping")
        assert actions(await bench.redrive(wanted=Wanted(topic="stores"))) == ["done", "say-again"]
        assert isinstance(read_events(broker, topic_prefix, STORES)[-1][2], events.StoreClosed)


async def test_two_operators_at_once_bring_a_letter_back_once(database: str, broker: str, topic_prefix: str):
    async with benched(database, broker, topic_prefix) as bench:
        scrape = await bench.scrape()
        await bench.bury([raw for raw in await bench.observed(scrape) if is_batch(raw, 2)])
        both = await asyncio.gather(*(bench.redrive() for _ in range(2)))
        assert sorted(action for steps in both for action in actions(steps)) == ["done", "redrive"]
        assert sum(isinstance(one, ScrapeStarted) for one in bench.said()) == 2


class OlderRelease:
    """A decoder that refuses what a newer release says: here, the second batch."""

    def __init__(self, genuine: object) -> None:
        self._genuine = genuine

    def decode(self, value: bytes) -> object:
        if b'"batch":2,' in value[:200]:
            raise msgspec.ValidationError("Invalid enum value 'multi-save' - at `$.listings[...].special`")
        return self._genuine.decode(value)  # type: ignore[attr-defined] # msgspec's


def folded_but_for(broker: str, prefix: str, dead: set[tuple[int, int]]) -> Reference:
    """A replay: the fold of the log by this release, without what is recorded as dead."""
    found = Reference()
    for raw in read_topic(broker, PRODUCT_OBSERVED.on_broker(prefix), 12):
        if (raw.partition, raw.offset) not in dead:
            found.observe((raw.key or b"").decode(), codec.decode(PRODUCT_OBSERVED, raw.headers, raw.value)[1])
    return found


async def test_from_a_release_that_could_not_read_it_to_the_price_that_is_served(
    database: str, broker: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
):
    """A message an older ingest gave up; after the upgrade it is redriven, and a replay comes to the same."""
    async with benched(database, broker, topic_prefix) as bench:
        scrape = await bench.scrape()
        given = ingest_settings(database, broker, topic_prefix)
        with monkeypatch.context() as older:
            older.setitem(codec._DECODERS, "products-observed", OlderRelease(codec._DECODERS["products-observed"]))
            async with running(given):
                await caught_up(database, broker, topic_prefix)
        missing = {f"{n:018}" for n in range(201, 401)}
        assert {sku for _, sku, _ in (await fold_in(database)).latest}.isdisjoint(missing)

        told = {
            "SPLITCART_POSTGRES_DSN": bench.rig.made.settings.postgres_dsn,
            "SPLITCART_KAFKA_BOOTSTRAP": broker,
            "SPLITCART_TOPIC_PREFIX": topic_prefix,
        }
        name = "product-observed.ingest.dlq/0/0"
        listed = (await splitcart("dlq", "list", "--each", "--json", **told)).one
        assert listed["dead_letters"] == 1
        assert (listed["letters"][0]["letter"], listed["letters"][0]["reason"]) == (name, "invalid")
        shown = (await splitcart("dlq", "show", name, "--json", **told)).one
        assert (shown["now"], len(shown["event"]["listings"])) == ("accepted", 200)
        assert "multi-save" in shown["error"]
        compared = (await splitcart("dlq", "diff", "--json", **told)).one
        assert compared["groups"][0]["now"] == "accepted"
        done = (await splitcart("dlq", "redrive", name, "--yes", "--json", **told)).one
        assert (done["did"], done["counts"]) == (True, {"redrive": 1})
        redriven = done["letters"][0]["scrape_id"]

        async with running(given):
            await caught_up(database, broker, topic_prefix)
        there = await fold_in(database)
        assert {sku for _, sku, _ in there.latest} >= missing
        outcomes = {str(scrape_id): outcome for _, _, scrape_id, _, _, outcome, _ in there.scrapes}
        assert outcomes == {str(scrape): "partial", redriven: "partial"}
        prices = {
            sku: price for _, sku, price, _, _ in await served_in(database, START + timedelta(hours=1), None)
        }
        assert prices[f"{300:018}"] == 400

        dead = {(int(dict(raw.headers)["dlq-partition"]), int(dict(raw.headers)["dlq-offset"])) for raw in
                read_topic(broker, PRODUCT_OBSERVED.dead_letter_topic(topic_prefix, "ingest"), 1)}  # fmt: skip
        replayed = folded_but_for(broker, topic_prefix, dead).fold()
        assert (replayed.history, replayed.scrapes, replayed.latest) == (
            there.history,
            there.scrapes,
            there.latest,
        )
        otherwise = folded_but_for(broker, topic_prefix, set()).fold()
        assert otherwise.history != there.history, (
            "this release would read it: a replay has to skip it all the same"
        )

        of_ingest = {**told, "SPLITCART_POSTGRES_DSN": given.postgres_dsn}
        made = await splitcart("replay", "run", "--json", **of_ingest)
        assert (made.code, made.lines[-1]["skipped"], made.lines[-1]["refused_now"]) == (0, 1, []), made.err
        held = await splitcart("replay", "compare", "--json", **of_ingest)
        assert (held.code, held.lines[-1]["equal"], held.lines[-1]["skipped"]) == (0, True, 1), held
