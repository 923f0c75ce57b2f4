"""Which rows of two generations differ, and by which scrapes they came."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg

from splitcart_common.postgres import Connection
from splitcart_ingest.replay.building import SQL
from splitcart_ingest.replay.digest import Part, Place, rows_of

Values = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Said:
    """The message that a row came by: where it stands, what it is, and the price it gives, in cents, if any."""

    topic: str
    partition: int
    offset: int
    event: str
    price: int | None

    def __str__(self) -> str:
        """For people."""
        price = "" if self.price is None else f" says price {self.price}"
        return f"{self.topic}/{self.partition}/{self.offset} ({self.event}){price}"


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that is not the same: what tells it apart, and what each generation says; None: it has no such row.

    The scrapes are those that the row's seq is of in each; `said` is the message it came by, where it is known.
    """

    place: Place
    key: Values
    live: Values | None
    made: Values | None
    live_scrape: Values | None = None
    made_scrape: Values | None = None
    said: Said | None = None

    def columns(self) -> list[str]:
        """Those that differ; all that the row says where the other has none."""
        row = self.live if self.live is not None else self.made or {}
        if self.live is None or self.made is None:
            return list(row)
        return [name for name in row if self.live[name] != self.made[name]]

    def as_json(self) -> dict[str, object]:
        """For a script."""
        sides = {"live": self._differing(self.live), "made": self._differing(self.made)}
        scrapes = {"live_scrape": self.live_scrape, "made_scrape": self.made_scrape}
        return {
            "part": self.place.part,
            "company": self.place.company,
            "store": self.place.store or None,
            **plain(self.key),
            **{name: None if values is None else plain(values) for name, values in (sides | scrapes).items()},
            "said": None if self.said is None else asdict(self.said),
        }

    def __str__(self) -> str:
        """For people."""
        of = " ".join([self.place.store or self.place.company, *(f"{name} {self.key[name]}" for name in self.key)])
        live, made = (self._differing(side) for side in (self.live, self.made))
        said = [f"{self.place.part} {of}: {_words('live', live)}, {_words('made', made)}"]
        if self.live_scrape == self.made_scrape:
            scrapes = [("both", self.live_scrape)]
        else:
            scrapes = [("live", self.live_scrape), ("made", self.made_scrape)]
        for whose, scrape in scrapes:
            if scrape is not None:
                said.append(f"{whose} by scrape {scrape['scrape_id']} of {_word(scrape['started_at'])}")
        if self.said is not None:
            said.append(f"in the log: {self.said}")
        return "; ".join(said)

    def _differing(self, side: Values | None) -> Values | None:
        return None if side is None else {name: side[name] for name in self.columns()}


def _words(whose: str, values: Values | None) -> str:
    if values is None:
        return f"{whose} has no such row"
    return f"{whose} says " + ", ".join(f"{name} {_word(value)}" for name, value in values.items())


def _word(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def plain(values: Values) -> dict[str, object]:
    """Values as JSON has them."""
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: object) -> object:
    match value:
        case datetime() | date():
            return value.isoformat()
        case UUID() | Decimal():
            return str(value)
        case list() | tuple():
            return [_plain(part) for part in value]
    return value


def compare_rows(part: Part, place: Place, live: Sequence[Values], made: Sequence[Values]) -> list[Difference]:
    """The rows that differ, in the order of their keys."""
    of_live, of_made = _by_key(part, live), _by_key(part, made)
    found: list[Difference] = []
    for key in sorted(of_live.keys() | of_made.keys()):
        one, other = of_live.get(key), of_made.get(key)
        if one != other:
            names = list((one or other or {}).keys())[2 : 2 + part.keys]
            found.append(
                Difference(place, dict(zip(names, key, strict=True)), _without_place(one), _without_place(other))
            )
    return found


def _without_place(row: Values | None) -> Values | None:
    return None if row is None else {name: row[name] for name in row if name not in _OF}


_OF = ("company", "store")


def _by_key(part: Part, rows: Sequence[Values]) -> dict[tuple[Any, ...], Values]:
    return {tuple(row.values())[2 : 2 + part.keys]: dict(row) for row in rows}


async def explain(live: Connection, made: Connection, part: Part, place: Place) -> list[Difference]:
    """The rows behind two digests that differ, with the scrapes they are of."""
    found = compare_rows(part, place, await rows_of(live, part, place), await rows_of(made, part, place))
    numbers = sorted({seq for one in found if isinstance(seq := one.key.get("seq"), int)})
    if not numbers:
        return found
    scrapes = [
        {row["seq"]: row for row in await side.fetch(SQL["scrapes"], place.store, numbers)}
        for side in (live, made)
    ]
    return [
        replace(one, live_scrape=_scrape(one, scrapes[0]), made_scrape=_scrape(one, scrapes[1])) for one in found
    ]


def _scrape(one: Difference, scrapes: Mapping[int, asyncpg.Record]) -> Values | None:
    row = scrapes.get(one.key["seq"]) if isinstance(one.key["seq"], int) else None
    return None if row is None else dict(row)
