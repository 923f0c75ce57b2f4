"""Which rows of two generations differ, and by which scrapes they came."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
class Difference:
    """One row that is not the same: what tells it apart, and what each generation says; None: it has no such row.

    The scrapes are those that the row's seq is of in each.
    """

    place: Place
    key: Values
    live: Values | None
    made: Values | None
    live_scrape: Values | None = None
    made_scrape: Values | None = None

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
        }

    def __str__(self) -> str:
        """For people."""
        of = " ".join([self.place.store or self.place.company, *(f"{name} {self.key[name]}" for name in self.key)])
        live, made = (self._differing(side) for side in (self.live, self.made))
        said = [f"{self.place.part} {of}: {_words('live', live)}, {_words('made', made)}"]
        for whose, scrape in (("live", self.live_scrape), ("made", self.made_scrape)):
            if scrape is not None:
                said.append(f"{whose} by scrape {scrape['scrape_id']} of {_word(scrape['started_at'])}")
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
            sides = ({name: row[name] for name in row if name not in _OF} if row else None for row in (one, other))
            found.append(Difference(place, dict(zip(names, key, strict=True)), *sides))
    return found


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
