"""The verb `explain price`: from what is served back to the page it was read on, as a tree or as JSON."""

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec
import typer
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from splitcart_common.money import to_dollars
from splitcart_common.reading import reading
from splitcart_ingest.commands.asking import Question, asked, plain, shown
from splitcart_ingest.commands.shell import Watching, execute, settings_for
from splitcart_ingest.domain.membership import Confirmed
from splitcart_ingest.domain.served import NOT_FOLDED, Branch, Look, ScrapeRow, Verdict, explain
from splitcart_ingest.records import Asked, Records, load
from splitcart_ingest.settings import IngestSettings
from splitcart_ingest.traces import Decision, Page, Place, Tracer, Watch

BRANCHES: Final[dict[Branch, str]] = {
    "a": "the store's own record",
    "b": "the store stands alone, and nothing of its own stands",
    "c": "an exception of its group",
    "d": "its anchor's record",
}


@dataclass(slots=True)
class Trace:
    """What the log has of it: pages by scrape, and the group's decision. `missing`: why no more."""

    pages: dict[str, Page] = field(default_factory=dict)
    decision: Decision | None = None
    missing: str | None = None


def price(question: Question, *, log: bool, dev: bool, as_json: bool) -> None:
    """The verb `explain price`."""

    async def main() -> bool:
        settings = settings_for(dev=dev)
        with Watching(as_json=as_json) as watching:
            watch = _nothing if as_json else watching.folded
            said = await explained(settings, question, watch if log else None)
        if as_json:
            typer.echo(json.dumps(said, default=plain))
        else:
            Console().print(_tree(said))
        return True

    execute(main(), as_json=as_json)


async def explained(settings: IngestSettings, question: Question, watch: Watch | None) -> dict[str, Any]:
    """The whole chain of a price; `watch` is told how far the log is read, None: it is not asked."""
    at = question.moment(settings)
    async with asked(question, settings) as (connection, one):
        records = await load(connection, one)
    turn = settings.turns.last(one.company, at)
    verdict = explain(one.store, one.listing_id, at, records.by_store, turn)
    trace = Trace(missing="it was not asked: --no-log")
    if watch is not None:
        trace = await _trace(settings, one, verdict, at, records, watch)
    return _content(one, at, turn, verdict, records, trace)


def sources(verdict: Verdict, records: Records, at: datetime) -> list[tuple[str, ScrapeRow]]:
    """The scrapes that what is served comes from, by store: which one changed it, and which one saw it last."""
    look = verdict.own if verdict.branch in "ab" else verdict.anchor
    if verdict.branch == "c":
        seen_at = None if verdict.exception is None else verdict.exception.seen_at
        mine = records.by_store[verdict.own.store].scrapes
        return [(verdict.own.store, x) for x in mine if x.at == seen_at and x.at <= at]
    if look is None:
        return []
    by_seq = {x.seq: x for x in records.by_store[look.store].scrapes}
    seqs = [look.row.seq if look.row else None, look.evidence.seq if look.evidence else None]
    return [(look.store, by_seq[seq]) for seq in dict.fromkeys(seqs) if seq is not None]


async def _trace(
    settings: IngestSettings, one: Asked, verdict: Verdict, at: datetime, records: Records, watch: Watch
) -> Trace:
    trace = Trace()
    try:
        async with reading(settings.kafka_bootstrap, settings.topic_prefix) as reader:
            tracer = Tracer(reader, settings.topic_prefix, settings.clock, watch)
            for store, scrape in sources(verdict, records, at):
                trace.pages[str(scrape.scrape_id)] = await tracer.page(store, scrape.scrape_id, one.sku)
            if verdict.marker is not None:
                marker = verdict.marker
                trace.decision = await tracer.decision(one.company, marker.version, marker.at)
    except (KafkaError, OSError, TimeoutError) as error:
        why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        trace.missing = f"the log at {settings.kafka_bootstrap} cannot be read ({why})"
    return trace


def _content(
    one: Asked, at: datetime, turn: datetime, verdict: Verdict, records: Records, trace: Trace
) -> dict[str, Any]:
    """The whole chain as values that JSON has, moments and ids apart; prices in cents."""
    found = verdict.served
    exception = verdict.exception
    return {
        "store": one.store, "sku": one.sku, "name": one.name, "product_id": one.product_id, "at": at,
        "last_turn": turn,
        "served": None if found is None else asdict(found),
        "branch": verdict.branch,
        "because": BRANCHES[verdict.branch],
        "passed_over": [{"branch": branch, "why": why} for branch, why in verdict.passed_over],
        "own": _look(verdict.own, records),
        "group": _group(verdict, trace),
        "exception": None if exception is None else {"price": exception.price, "seen_at": exception.seen_at},
        "anchor": None if verdict.anchor is None else _look(verdict.anchor, records),
        "scrapes": [_source(store, scrape, trace) for store, scrape in sources(verdict, records, at)],
        "log": trace.missing or "read",
    }  # fmt: skip


def _look(look: Look, records: Records) -> dict[str, Any]:
    row, evidence = look.row, look.evidence
    by_seq = {x.seq: x for x in records.by_store[look.store].scrapes}
    changed = None
    if row is not None:
        changed = {
            **_scrape(by_seq[row.seq]), "price": row.price, "batch": records.batch[look.store, row.seq],
        }  # fmt: skip
    return {
        "store": look.store,
        "changed": changed,
        "evidence": None if evidence is None else _scrape(evidence),
        "floor": None if look.floor == NOT_FOLDED else int(look.floor),
        "floor_waits_for_a_scrape": look.floor == NOT_FOLDED,
    }


def _scrape(scrape: ScrapeRow) -> dict[str, Any]:
    return {
        "scrape_id": scrape.scrape_id, "seq": scrape.seq, "at": scrape.at, "outcome": scrape.outcome or "open",
    }  # fmt: skip


def _group(verdict: Verdict, trace: Trace) -> dict[str, Any] | None:
    marker = verdict.marker
    if marker is None:
        return None
    said: dict[str, Any] = {"version": marker.version, "decided_at": marker.at, "anchor": None}
    if isinstance(marker, Confirmed):
        ids = {"up_to_scrape": marker.up_to_scrape, "anchor_scrape": marker.anchor_scrape}
        said |= {"anchor": marker.anchor, **ids}
    decision = trace.decision
    if decision is not None:
        event = msgspec.to_builtins(decision.event)
        names = ("shared", "equal", "rule_version", "from_anchor", "differing")
        evidence = {name: event[name] for name in names if name in event}
        evidence |= {"exceptions": len(event["exceptions"])} if "exceptions" in event else {}
        said |= {"evidence": evidence, "event": asdict(decision.place)}
    return said


def _source(store: str, scrape: ScrapeRow, trace: Trace) -> dict[str, Any]:
    page = trace.pages.get(str(scrape.scrape_id))
    found: dict[str, Any] = {"store": store, **_scrape(scrape)}
    if page is None:
        return found
    return found | {
        "reason": page.reason,
        "started_by": None if page.start is None else asdict(page.start),
        "page_event": None if page.place is None else asdict(page.place),
        "batch": page.batch,
        "page": None if page.seen is None else page.seen.page,
        "seen": None if page.seen is None else msgspec.to_builtins(page.seen),
    }


def _tree(said: dict[str, Any]) -> Tree:
    served = said["served"]
    told = "not sold, or nothing is known" if served is None else to_dollars(served["price"])
    tree = Tree(_line(f"{said['name']} ({said['sku']}) at {said['store']}, {shown('at', said['at'])}: {told}"))
    rule = tree.add(_line(f"rule 8{said['branch']}: {said['because']}"))
    for passed in said["passed_over"]:
        rule.add(_line(f"not 8{passed['branch']}: {passed['why']}"))
    if served is not None:
        rule.add(_line(f"seen at {served['store']}, {shown('at', served['seen_at'])}"))
    _add_look(tree, "its own record", said["own"])
    group = said["group"]
    if group is not None:
        stands = f"{group['anchor']} stands for it" if group["anchor"] else "it was ejected and stands alone"
        branch = tree.add(
            _line(f"group: {stands}, version {group['version']}, {shown('at', group['decided_at'])}")
        )
        for name, value in group.get("evidence", {}).items():
            branch.add(_line(f"{name}: {value}"))
        if "event" in group:
            branch.add(_line(_place(group["event"])))
    exception = said["exception"]
    if exception is not None:
        price = "not sold" if exception["price"] is None else to_dollars(exception["price"])
        tree.add(_line(f"exception: {price}, seen {shown('at', exception['seen_at'])}"))
    if said["anchor"] is not None:
        _add_look(tree, "its anchor's record", said["anchor"])
    for source in said["scrapes"]:
        _add_source(tree, source)
    if said["log"] != "read":
        tree.add(_line(f"the log: {said['log']}"))
    return tree


def _add_look(tree: Tree, title: str, look: dict[str, Any]) -> None:
    branch = tree.add(_line(f"{title}, {look['store']}"))
    changed, evidence = look["changed"], look["evidence"]
    if changed is None:
        branch.add("no price of it was ever seen")
    else:
        price = "withdrawn" if changed["price"] is None else to_dollars(changed["price"])
        branch.add(_line(f"{price} since scrape {changed['seq']}, {shown('at', changed['at'])}"))
    if evidence is not None:
        held = f"scrape {evidence['seq']} ({evidence['outcome']}), {shown('at', evidence['at'])}"
        branch.add(_line(f"still so by {held}"))
    floor = "waits for a scrape that is not folded" if look["floor_waits_for_a_scrape"] else look["floor"]
    branch.add(_line(f"floor: {floor}"))


def _add_source(tree: Tree, source: dict[str, Any]) -> None:
    head = f"scrape {source['seq']} of {source['store']}, {shown('at', source['at'])}, {source['outcome']}"
    branch = tree.add(_line(f"{head}: {source['scrape_id']}"))
    if "page_event" not in source:
        return
    if source["started_by"] is None:
        branch.add("it is not in the log")
        return
    branch.add(_line(f"begun ({source['reason']}) by {_place(source['started_by'])}"))
    if source["page_event"] is None:
        branch.add("none of its pages shows the listing: it was withdrawn, or its tile was refused")
        return
    seen = source["seen"]
    price = "no price" if seen["price"] is None else to_dollars(seen["price"])
    leaf = branch.add(_line(f"page {source['page']}, batch {source['batch']}: {price}, “{seen['name']}”"))
    leaf.add(_line(_place(source["page_event"])))


def _place(place: dict[str, Any] | Place) -> str:
    found = asdict(place) if isinstance(place, Place) else place
    return f"{found['topic']}/{found['partition']}/{found['offset']}, event {found['event_id']}"


def _line(text: str) -> str:
    """A line of a tree: what the words of others contain is no mark-up and no control character."""
    return escape("".join(c if c.isprintable() else repr(c)[1:-1] for c in text))


def _nothing(done: int, total: int) -> None:
    """No progress where a script listens."""
