"""What must hold of a simulated database: while it works, and at the end, against the plain fold of the log."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from splitcart_ingest.domain.membership import Confirmed, Ejected
from splitcart_ingest.domain.served import Look, StoreRecord, explain, served
from tests.support.fold_model import LISTINGS, STORES, Model
from tests.support.simulation.faults import Fault
from tests.support.simulation.shell import Database, OutboxRow

ALWAYS = datetime(2099, 1, 1, tzinfo=UTC)


def evidence(record: StoreRecord, listing: int) -> int:
    """Rule 5, by what is committed; 0 for none."""
    found = _look(record, listing).evidence
    return 0 if found is None else found.seq


def floor(record: StoreRecord, *, wait: bool = True) -> int | None:
    """Rule 7; None where there is none, or (`wait`) where a confirmed scrape is not folded yet."""
    folded = {scrape.scrape_id for scrape in record.scrapes}
    confirmed = [marker for marker in record.markers if isinstance(marker, Confirmed)]
    known = [marker for marker in confirmed if marker.up_to_scrape in folded]
    if not known or (wait and len(known) < len(confirmed)):
        return None
    return int(_look(replace(record, markers=known)).floor)


def last_confirmed(record: StoreRecord) -> int:
    """The version of a store's last confirmation, 0 for none."""
    return max((marker.version for marker in record.markers if isinstance(marker, Confirmed)), default=0)


def _look(record: StoreRecord, listing: int = 0) -> Look:
    return explain("it", listing, ALWAYS, {"it": record}, None).own


def check_cache(database: Database) -> None:
    """The latest prices are the last rows of the history; only redundant ones may be missing, where it says so."""
    for store, tables in database.stores.items():
        last, record = tables.last_rows(), tables.record(database.groups.of_store(store))
        assert tables.latest.items() <= last.items(), f"{store}: a latest price is not the last of its history"
        missing = last.keys() - tables.latest.keys()
        assert tables.collected or not missing, f"{store}: rows are missing, and nothing says so"
        low, (version, noted) = _look(record).floor, tables.floor
        newer = replace(record, markers=[marker for marker in record.markers if marker.version > version])
        assert max(noted, _look(newer).floor) == low, f"{store}: the floor written down is wrong"
        needed = [x for x in missing if evidence(record, x) > low]
        assert not needed, f"{store}: rows that are served are missing"


def shown(records: Mapping[str, StoreRecord], moments: Iterable[datetime], fault: Fault | None) -> object:
    """Every price served at some moments."""
    seen = {store: StoreRecord(r.history, r.scrapes, _markers(r.markers, fault)) for store, r in records.items()}
    return {
        (at, store, x): answer
        for at in moments
        for store in STORES
        for x in LISTINGS
        if (answer := served(store, x, at, seen, None)) is not None
    }


def _markers(markers: Sequence[Confirmed | Ejected], fault: Fault | None) -> Sequence[Confirmed | Ejected]:
    if fault is Fault.FLOOR_FALLS:
        ejected = [n for n, marker in enumerate(markers) if isinstance(marker, Ejected)]
        return markers[ejected[-1] :] if ejected else markers
    if fault is Fault.OLD_EXCEPTIONS:
        kept: list[Confirmed | Ejected] = []
        for marker in markers:
            before = kept[-1].exceptions if kept and isinstance(kept[-1], Confirmed) else {}
            if isinstance(marker, Confirmed):
                ids = (marker.version, marker.store, marker.anchor, marker.up_to_scrape, marker.anchor_scrape)
                kept.append(Confirmed(*ids, {**before, **marker.exceptions}, marker.at))
            else:
                kept.append(marker)
        return kept
    return markers


def heard(published: Sequence[OutboxRow]) -> dict[str, list[object]]:
    """What a consumer of `price-changed` takes in, store by store: repeats ignored, which must say the same."""
    found: dict[object, object] = {}
    out: dict[str, list[object]] = {store: [] for store in STORES}
    for row in published:
        if row.topic != "price-changed":
            continue
        if row.ident in found:
            assert found[row.ident] == row.said, f"{row.ident} says two things"
            continue
        found[row.ident] = row.said
        out[row.store].append(row.said)
    return out


def check(
    database: Database, expected: Model, moments: Sequence[datetime], fault: Fault | None, what: str
) -> None:
    """The digest: tables by natural keys, and served prices at fixed moments."""
    check_cache(database)
    records, wanted = database.records(), expected.records()
    for store in STORES:
        assert records[store] == wanted[store], f"{what}: the record of {store} differs"
        tables, state = database.stores[store], expected.states.get(store)
        known = {x: price for x, (price, _) in tables.last_rows().items()}
        assert known == (state.prices if state else {}), f"{what}: the prices of {store} differ"
        ends = [end for _, end in tables.scrapes.values() if end is not None]
        assert ends == expected.settled(store), f"{what}: the counts of {store} differ"
    assert shown(records, moments, fault) == shown(wanted, moments, None), f"{what}: served prices differ"
