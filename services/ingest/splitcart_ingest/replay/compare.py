"""`splitcart replay compare`: two generations at equal positions, by digests, and the rows where those differ.

The live one goes on meanwhile: it is looked at in one snapshot, in which its positions and all that came by them
are of one moment, and the other is brought to just these positions.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import msgspec

from splitcart_ingest.app import FOLDED, SERVICE
from splitcart_ingest.generations import SQL as REGISTRY
from splitcart_ingest.replay import ranged
from splitcart_ingest.replay.ahead import is_ahead, said_after, skus_of
from splitcart_ingest.replay.building import SQL
from splitcart_ingest.replay.digest import (
    AHEAD,
    OF_CATALOGUE,
    TABLES,
    Digests,
    Part,
    Place,
    as_it_stands,
    differing,
    digests,
    served_parts,
    together,
)
from splitcart_ingest.replay.errors import RefusedError
from splitcart_ingest.replay.evidence import find
from splitcart_ingest.replay.explain import Difference, explain
from splitcart_ingest.replay.log import Positions, positions
from splitcart_ingest.replay.run import NEAR, Bench, Watcher, behind, catch_up, live_positions, refused_now

TRIES: Final = 20
WAIT_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Ask:
    """What is compared and shown: of some stores (None: all); so many digests explained, so many rows of each."""

    stores: Sequence[str] | None = None
    digests: int = 50
    rows: int = 20


EVERYTHING: Final = Ask()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a comparison came to.

    `differing` counts the rows that differ behind each digest (of those explained), and `rows` are some of them.
    `ahead` listings are described by the live generation from messages after its positions; `refused_now` messages
    failed in the replay and have no dead letter. `carried` outlets are closed and described as the live
    generation has them; `left_out` parts were not at one moment with the log.
    """

    generation: int
    positions: Positions
    skipped: int
    live: dict[str, str]
    made: dict[str, str]
    digests: int
    differing: tuple[tuple[Place, int | None], ...]
    rows: tuple[Difference, ...]
    ahead: int
    carried: int
    refused_now: tuple[str, ...]
    left_out: tuple[str, ...]
    seconds: float

    @property
    def equal(self) -> bool:
        """Whether one can stand for the other."""
        return not self.differing and not self.refused_now

    def as_json(self) -> dict[str, object]:
        """For a script, and for the registry."""
        return {
            "generation": self.generation,
            "equal": self.equal,
            "messages": sum(self.positions.values()),
            "skipped": self.skipped,
            "digests": self.digests,
            "companies": {
                company: {"live": self.live.get(company), "made": self.made.get(company)}
                for company in sorted(self.live.keys() | self.made.keys())
            },
            "differing": [
                {"part": place.part, "company": place.company, "store": place.store or None, "rows": rows}
                for place, rows in self.differing
            ],
            "rows": [row.as_json() for row in self.rows],
            "ahead": self.ahead,
            "carried": self.carried,
            "refused_now": list(self.refused_now),
            "left_out": list(self.left_out),
            "seconds": round(self.seconds, 3),
        }


@dataclass(slots=True)
class _Found:
    """What two generations were found to be."""

    live: Digests
    made: Digests
    differing: list[tuple[Place, int | None]] = field(default_factory=list)
    rows: list[Difference] = field(default_factory=list)
    ahead: int = 0


async def compare(bench: Bench, workers: int, watch: Watcher, ask: Ask = EVERYTHING) -> Comparison:
    """Bring a generation to where the live one is and hold them against each other; the result is kept.

    RefusedError where the generation is not finished, or is further than the live one; StoppedError as of a run.
    """
    number = bench.generation.number
    if bench.generation.state == "building":
        raise RefusedError(
            f"generation {number} is not finished: `splitcart replay run --to-generation {number}` goes on with it"
        )
    began = asyncio.get_running_loop().time()
    async with _one_moment(bench) as (ends, quiet):
        # A few are folded sooner than another process is there to help: in a swap, ingest stands still meanwhile.
        few = await behind(bench, ends) <= NEAR
        skipped = await catch_up(bench, ends, 1 if few else workers, watch)
        carried = await _carry_closed(bench)
        async with as_it_stands(bench.made, bench.generation.schema):
            _check_positions(number, ends, await positions(bench.made))
            refused = await refused_now(bench)
            found = await _look(bench, ends, ask, () if quiet else OF_CATALOGUE)
    result = Comparison(
        generation=number,
        positions=ends,
        skipped=skipped,
        live=together(found.live),
        made=together(found.made),
        digests=len(found.live.keys() | found.made.keys()),
        differing=tuple(found.differing),
        rows=await find(bench.reader, bench.settings.topic_prefix, ends, found.rows),
        ahead=found.ahead,
        carried=carried,
        refused_now=tuple(refused),
        left_out=() if quiet else OF_CATALOGUE,
        seconds=asyncio.get_running_loop().time() - began,
    )
    now = bench.settings.clock.wall()
    await bench.made.execute(REGISTRY["compared"], number, now, msgspec.json.encode(result.as_json()).decode())
    return result


@asynccontextmanager
async def _one_moment(bench: Bench) -> AsyncIterator[tuple[Positions, bool]]:
    """The live generation at a moment, its positions, and whether all that it has said itself is in the log.

    What ingest decides is in its tables before it is in the log. A moment at which nothing of it is on the way is
    waited for, a while.
    """
    for tries_left in reversed(range(TRIES)):
        before = _own(await live_positions(bench))
        async with as_it_stands(bench.live, bench.live_generation.schema):
            ends = await live_positions(bench)
            unsent = await bench.live.fetch(SQL["unsent"], [where.topic for where in before])
            quiet = not unsent and _own(ends) == before
            if quiet or not tries_left:
                yield ends, quiet
                return
        await asyncio.sleep(WAIT_SECONDS)


def _own(ends: Positions) -> Positions:
    """Of topics on which ingest speaks itself."""
    names = tuple(f".{topic.name}.v{topic.major}" for topic in FOLDED if SERVICE in topic.producers)
    return {where: end for where, end in ends.items() if where.topic.endswith(names)}


async def _carry_closed(bench: Bench) -> int:
    """Carry over what closed outlets were, where the compacted log says no more than that; of how many."""
    done: str = await bench.made.execute(SQL["carry_closed"].format(live=bench.live_generation.schema))
    return int(done.rpartition(" ")[2])


def _check_positions(number: int, ends: Positions, at: Positions) -> None:
    for where, end in ends.items():
        if at.get(where, 0) != end:
            raise RefusedError(
                f"generation {number} is at {at.get(where, 0)} of {where.topic}/{where.partition}, and the live "
                f"one at {end}: they cannot be compared. Was a position set by hand? Abandon it, and run another"
            )


async def _look(bench: Bench, ends: Positions, ask: Ask, left_out: Sequence[str]) -> _Found:
    selection = bench.generation.selection
    if selection.from_at is not None:
        return await _look_at_prices_seen(bench, ask)
    if selection.to_at is not None:
        parts = ranged.parts_of(selection)
    else:
        parts = tuple(part for part in await _all_parts(bench, ask) if part.name not in left_out)
    found = _Found(
        *await asyncio.gather(
            digests(bench.live, parts, selection.company, ask.stores),
            digests(bench.made, parts, selection.company, ask.stores),
        )
    )
    by_name = {part.name: part for part in parts}
    places = [(by_name[place.part], place) for place in differing(found.live, found.made)]
    await _explain_ahead(bench, ends, [one for one in places if one[0].name in AHEAD], found, ask)
    for part, place in places:
        if part.name not in AHEAD:
            explained = len(found.differing) < ask.digests
            rows = await explain(bench.live, bench.made, part, place) if explained else []
            found.differing.append((place, len(rows) if explained else None))
            found.rows += rows[: ask.rows]
    return found


async def _all_parts(bench: Bench, ask: Ask) -> tuple[Part, ...]:
    """The tables, and the prices served to stores that are of groups in either generation."""
    at = await bench.live.fetchval(SQL["moment"])
    grouped = {
        row["store"] for side in (bench.live, bench.made) for row in await side.fetch(SQL["in_groups"], ask.stores)
    }
    return (*TABLES, *served_parts(sorted(grouped), at, bench.settings.turns))


async def _explain_ahead(
    bench: Bench, ends: Positions, places: Sequence[tuple[Part, Place]], found: _Found, ask: Ask
) -> None:
    """Of what may be written ahead, only what no message accounts for is different."""
    rows = {place: await explain(bench.live, bench.made, part, place) for part, place in places}
    if not rows:
        return
    skus = skus_of([row for of_place in rows.values() for row in of_place])
    said = await said_after(bench.reader, bench.settings.topic_prefix, ends, skus)
    for place, of_place in rows.items():
        left = [row for row in of_place if not is_ahead(row, said)]
        found.ahead += len(of_place) - len(left)
        if left:
            found.differing.append((place, len(left)))
            found.rows += left[: ask.rows]


async def _look_at_prices_seen(bench: Bench, ask: Ask) -> _Found:
    selection = bench.generation.selection
    found = _Found({}, {})
    for row in await bench.live.fetch(SQL["stores"], selection.company):
        place, rows = await ranged.prices_seen(bench.live, bench.made, selection, row["store"])
        if rows:
            found.differing.append((place, len(rows)))
            found.rows += rows[: ask.rows]
    return found
