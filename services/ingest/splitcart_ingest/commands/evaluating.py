"""`splitcart evaluate identity`: how right the rules of identity are, on labelled pairs.

Exit codes: 0 evaluated; 2 the file, or a line of it, is not what it should be.
"""

import gzip
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from splitcart_common.events import ListingDescribed
from splitcart_ingest.domain.catalogue import Catalogue, evolve
from splitcart_ingest.domain.identity import RULE_VERSION, decide
from splitcart_ingest.domain.matching import compare
from splitcart_ingest.domain.names import read
from splitcart_ingest.domain.reconcile import reconcile

evaluate = typer.Typer(no_args_is_help=True, help="How right the decisions are, on labelled examples.")

SHOWN_PROBLEMS: Final = 10
_WHEN: Final = datetime(2026, 1, 1, tzinfo=UTC)
_BY: Final = UUID(int=0)


@evaluate.callback()
def _group() -> None:
    """How right the decisions are, on labelled examples."""


@dataclass(frozen=True, slots=True)
class Side:
    """A listing as a line of the file has it: all that may be used."""

    company: str
    name: str
    brand: str | None
    size: str | None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two listings, and whether they are one product."""

    line: int
    a: Side
    b: Side
    same: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What was found; `precision` and `recall` are None where nothing was said, or nothing could be, the same."""

    pairs: int
    labelled_same: int
    said_same: int
    right: int
    precision: float | None
    recall: float | None
    f1: float | None
    rule_version: str = RULE_VERSION


class PairsError(Exception):
    """The file cannot be evaluated; each line of the text is a problem."""


@evaluate.command()
def identity(
    *,
    pairs: Annotated[Path, typer.Option("--pairs", help="JSON lines, plain or .gz.")],
    wrong: Annotated[
        int, typer.Option("--wrong", min=0, metavar="N", help="Show N wrong answers, and why they were given.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Say how often identity is right about pairs of listings, by nothing but what they are called.

    Each line of the file is an object with `a_company`, `a_name`, `a_brand`, `a_size`, the same with `b_`, and
    `label`: 1 if both are one product, else 0. Brand and size may be null; other fields (`a_sku`) are not used.
    The answer is that of the service: both are described to an empty catalogue, without a barcode, and are the
    same if they end in one product. Precision: of those it called the same, how many are. Recall: of those that
    are, how many it found.

    Example: `splitcart evaluate identity --pairs pairs.jsonl --wrong 20`.
    """
    try:
        found = list(load(pairs))
    except PairsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    errors = Console(stderr=True)
    answers = [
        (pair, is_one_product(pair))
        for pair in track(found, "comparing", console=errors, disable=as_json or not errors.is_terminal)
    ]
    result = evaluated(answers)
    mistaken = [pair for pair, same in answers if same != pair.same][:wrong]
    if as_json:
        shown = {"wrong": [_mistake(pair) for pair in mistaken]} if wrong else {}
        typer.echo(json.dumps(asdict(result) | shown))
    else:
        _show(result, mistaken)


def load(path: Path) -> Iterator[Pair]:
    """The pairs of a file, in its order; PairsError names the first lines that are no pair, and why."""
    try:
        text = (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8")
        with text as lines:
            rows = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise PairsError(f"{path} cannot be read: {error}") from None
    problems: list[str] = []
    for number, line in rows:
        try:
            yield _pair(number, line)
        except ValueError as error:
            problems.append(f"{path}, line {number}: {error}")
            if len(problems) == SHOWN_PROBLEMS:
                break
    if problems:
        raise PairsError("\n".join(problems))
    if not rows:
        raise PairsError(f"{path} has no pairs: each line should be an object with a_name, b_name, label …")


def _pair(number: int, line: str) -> Pair:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"is no JSON ({error.msg} at column {error.colno})") from None
    if not isinstance(row, dict):
        raise ValueError(f"should be an object, not {type(row).__name__}")  # noqa: TRY004 - a line's problem
    label = row.get("label")
    if isinstance(label, bool) or label not in (0, 1):
        raise ValueError(f"label should be 1 or 0, not {json.dumps(label)}")
    return Pair(number, _side(row, "a"), _side(row, "b"), label == 1)


def _side(row: dict[str, Any], side: str) -> Side:
    values = {field: row.get(f"{side}_{field}") for field in ("company", "name", "brand", "size")}
    for field, value in values.items():
        if value is None and field in ("company", "name"):
            raise ValueError(f"{side}_{field} is missing")
        if value is not None and not isinstance(value, str):
            raise ValueError(f"{side}_{field} should be text, not {json.dumps(value)}")
    if not str(values["name"]).strip():
        raise ValueError(f"{side}_name is empty")
    return Side(str(values["company"]).lower(), str(values["name"]), values["brand"], values["size"])


def is_one_product(pair: Pair) -> bool:
    """Whether identity, knowing nothing else, puts both into one product."""
    catalogue = Catalogue()
    for sku, side in (("a", pair.a), ("b", pair.b)):
        for event in decide(catalogue, _described(sku, side)):
            evolve(catalogue, event)
    for event in reconcile(catalogue):
        evolve(catalogue, event)
    return catalogue.product_of(pair.a.company, "a") == catalogue.product_of(pair.b.company, "b")


def _described(sku: str, side: Side) -> ListingDescribed:
    return ListingDescribed(
        company=side.company,
        sku=sku,
        name=side.name,
        brand=side.brand,
        size=side.size,
        described_at=_WHEN,
        by=_BY,
    )


def evaluated(answers: list[tuple[Pair, bool]]) -> Result:
    """The figures of pairs and what was said of each."""
    labelled = sum(pair.same for pair, _ in answers)
    said = sum(same for _, same in answers)
    right = sum(pair.same and same for pair, same in answers)
    precision = right / said if said else None
    recall = right / labelled if labelled else None
    f1 = 2 * right / (said + labelled) if said + labelled else None
    return Result(len(answers), labelled, said, right, precision, recall, f1)


def _mistake(pair: Pair) -> dict[str, Any]:
    """A pair with what its names' comparison gave: `size`, `word` …; `companies` for two of one company."""
    left, right = (read(side.name, side.brand, side.size) for side in (pair.a, pair.b))
    comparison = compare(left, right)
    why = comparison.forbids or ("companies" if pair.a.company == pair.b.company else None)
    return {
        "line": pair.line,
        "label": int(pair.same),
        "a": asdict(pair.a),
        "b": asdict(pair.b),
        "forbids": why,
        "only_a": list(comparison.left),
        "only_b": list(comparison.right),
    }


def _show(result: Result, mistaken: list[Pair]) -> None:
    console = Console()
    table = Table(*(name.replace("_", " ") for name in asdict(result)))
    table.add_row(*(_figure(value) for value in asdict(result).values()))
    console.print(table)
    for pair in mistaken:
        mistake = _mistake(pair)
        label = "is one product" if pair.same else "are two products"
        console.print(
            f"line {pair.line}, {label}, forbidden by: {mistake['forbids'] or 'nothing'}", highlight=False
        )
        for name, side in (("a", pair.a), ("b", pair.b)):
            text = " | ".join(filter(None, (side.company, side.name, side.brand, side.size)))
            console.print(
                f"  {text}  alone: {' '.join(mistake[f'only_{name}']) or '-'}", highlight=False, markup=False
            )


def _figure(value: float | int | str | None) -> str:
    return "-" if value is None else f"{value:.4f}" if isinstance(value, float) else f"{value}"
