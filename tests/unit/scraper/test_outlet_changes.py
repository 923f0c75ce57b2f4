"""What a discovery changes."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from splitcart_common.events import StoreDiscovered
from splitcart_scraper.domain.outlets import KnownOutlet, compare

AT = datetime(2026, 9, 1, tzinfo=UTC)


def outlet(number: int, name: str = "Store") -> StoreDiscovered:
    return StoreDiscovered(
        store=f"aldi:G{number}", name=name, address="1 High St", suburb="Town", state="NSW", postcode="2000",
        lat=-33.0, lon=151.0, sells_online=False, seen_at=AT,
    )  # fmt: skip


def known(*numbers: int, missed: int = 0, closed: bool = False) -> dict[str, KnownOutlet]:
    return {f"aldi:G{n}": KnownOutlet(outlet(n), missed, closed) for n in numbers}


def seen(*numbers: int) -> dict[str, StoreDiscovered]:
    later = AT + timedelta(days=7)
    return {f"aldi:G{n}": replace(outlet(n), seen_at=later) for n in numbers}


def test_only_what_is_new_or_changed_is_said() -> None:
    found = {**seen(1, 2), "aldi:G3": outlet(3, "Renamed")}
    changes = compare(known(1, 3), found, complete=True, at=AT)
    assert [said.store for said in changes.discovered] == ["aldi:G2", "aldi:G3"]
    assert changes.listed == ("aldi:G1",)


def test_two_complete_discoveries_without_a_store_close_it() -> None:
    first = compare(known(1, 2, 3), seen(1, 2), complete=True, at=AT)
    assert (dict(first.missed), first.closed) == ({"aldi:G3": 1}, ())
    second = compare({**known(1, 2), **known(3, missed=1)}, seen(1, 2), complete=True, at=AT)
    assert [closed.store for closed in second.closed] == ["aldi:G3"]


def test_a_discovery_that_is_not_complete_closes_nothing() -> None:
    changes = compare({**known(1, 2), **known(3, missed=1)}, seen(1, 2), complete=False, at=AT)
    assert (changes.closed, dict(changes.missed)) == ((), {})


def test_a_discovery_that_lacks_most_stores_is_not_believed() -> None:
    changes = compare(known(1, 2, 3, 4, missed=1), seen(1), complete=True, at=AT)
    assert not changes.believed
    assert changes.closed == ()


def test_a_closed_store_that_is_listed_again_is_said_again() -> None:
    changes = compare(known(1, closed=True), seen(1), complete=True, at=AT)
    assert [said.store for said in changes.discovered] == ["aldi:G1"]
    assert compare(known(1, closed=True), {}, complete=True, at=AT).closed == ()
