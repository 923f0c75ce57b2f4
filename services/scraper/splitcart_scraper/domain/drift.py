"""Shapes compared: what a retailer answers against what is expected of it, field by field.

A field has a path: ``data[].price.amount`` is the amount of the price of each entry of data. Where a kind of
object holds objects of its own kind (a tree's ``children[].children[]``) the path is that of the first. A value
has a kind, which for text is also what it looks like: ``digits:18``, ``decimal`` (4.69), ``money`` ($4.69),
``address`` (of the web), ``empty`` or ``text``. So a price that turns into text, or a SKU that becomes shorter, is
seen.

Expectations are data (the package's folder ``expected``), as paths to kinds: ``text|null`` is either. A path that
ends in ``?`` may be missing. A field that is known and not read is only listed, with all that is in it; one that
is neither is new.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

MOST_PATHS: Final = 3_000
"""What is looked at of an answer: objects that bear keys without end are cut off."""
DEEPEST: Final = 16
EXAMPLES: Final = 3
ENOUGH: Final = 10
"""Values from which their length is taken for a rule."""
LONGEST_EXAMPLE: Final = 60

_SIGNS: Final = re.compile(r"[.?\[\]]")
"""What paths are built with; a name that bears one is written with a line in its place."""
_KINDS: Final[Mapping[type, str]] = {
    type(None): "null", bool: "bool", int: "whole", float: "fraction", list: "list", dict: "object"
}  # fmt: skip
_PATTERNS: Final = (
    ("digits", re.compile(r"[0-9]+", re.ASCII)),
    ("decimal", re.compile(r"-?[0-9]+\.[0-9]+", re.ASCII)),
    ("money", re.compile(r"-?\$ ?[0-9][0-9,]*(\.[0-9]+)?", re.ASCII)),
    ("address", re.compile(r"https?://\S+")),
)
_GENERAL: Final[Mapping[str, frozenset[str]]] = {
    "text": frozenset(("text", "digits", "decimal", "money", "address", "empty")),
    "number": frozenset(("whole", "fraction")),
}
"""Kinds that stand for others: free text may look like anything, and a number be whole or not."""


@dataclass(slots=True)
class Seen:
    """One field as it was seen: how many objects there were that may have it, and the kinds of its values."""

    rows: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """The share of objects that have it."""
        return self.kinds.total() / self.rows if self.rows else 0.0


Profile = Mapping[str, Seen]


@dataclass(frozen=True, slots=True)
class Expected:
    """What is expected of one page: the kinds of the fields that are read, and which others are known."""

    read: Mapping[str, str]
    known: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Drift:
    """One field that is not as expected. `share` is that of the objects in which it is not."""

    path: str
    what: Literal["missing", "kind", "new"]
    expected: str
    seen: Mapping[str, int]
    share: float
    examples: tuple[str, ...]


def kind_of(value: object) -> str:
    """The kind of a value read from JSON."""
    if isinstance(value, str):
        return _look(value)
    return _KINDS.get(type(value), "object")


def _look(text: str) -> str:
    if not text.strip():
        return "empty"
    for name, pattern in _PATTERNS:
        if len(text) <= 500 and pattern.fullmatch(text):
            return f"digits:{len(text)}" if name == "digits" else name
    return "text"


def profile(documents: Sequence[object]) -> dict[str, Seen]:
    """Every field of some answers of one kind, by path; ``""`` is the answer itself."""
    found: dict[str, Seen] = {}
    counts: Counter[str] = Counter()
    for document in documents:
        _see(found, counts, "", document, 0)
    for path, seen in found.items():
        seen.rows = seen.kinds.total() if path == "" or path.endswith("[]") else counts[_parent(path)]
    return found


def _see(found: dict[str, Seen], objects: Counter[str], path: str, value: object, depth: int) -> None:
    seen = found.get(path)
    if seen is None:
        if len(found) >= MOST_PATHS or depth > DEEPEST:
            return
        seen = found[path] = Seen()
    kind = kind_of(value)
    seen.kinds[kind] += 1
    examples = seen.examples.setdefault(kind, [])
    if not isinstance(value, dict | list) and len(examples) < EXAMPLES:
        example = repr(value)
        examples.append(example if len(example) <= LONGEST_EXAMPLE else f"{example[:LONGEST_EXAMPLE]}…")
    if isinstance(value, dict):
        objects[path] += 1
        for name, inner in value.items():
            _see(found, objects, _below(path, _SIGNS.sub("_", str(name)) or "_"), inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _see(found, objects, _folded(f"{path}[]"), inner, depth + 1)


def _below(path: str, name: str) -> str:
    return _folded(f"{path}.{name}" if path else name)


def _folded(path: str) -> str:
    """A path whose last two steps are the same, without the last: a tree's nodes are of one kind."""
    steps = path.split(".")
    return ".".join(steps[:-1]) if len(steps) > 1 and steps[-1] == steps[-2] and path.endswith("[]") else path


def _parent(path: str) -> str:
    """The path of the object or list that a field is in."""
    return path.removesuffix("[]") if path.endswith("[]") else path.rpartition(".")[0]


def compare(expected: Expected, seen: Profile) -> list[Drift]:
    """What is not as expected, in the order of the paths. What is inside a field that drifted is not gone into."""
    wanted = _with_containers(expected.read)
    return sorted([*_changed(wanted, seen), *_new(wanted, expected.known, seen)], key=lambda drift: drift.path)


def _with_containers(read: Mapping[str, str]) -> dict[str, tuple[str, bool]]:
    """Kinds, and whether it may be missing, by path; also of the objects and lists around what is read."""
    wanted = {path.removesuffix("?"): (kinds, path.endswith("?")) for path, kinds in read.items()}
    for path in list(wanted):
        inner, around = path, _parent(path)
        while inner and around not in wanted:
            wanted[around] = ("list" if inner.endswith("[]") else "object", False)
            inner, around = around, _parent(around)
    return wanted


def _changed(wanted: Mapping[str, tuple[str, bool]], seen: Profile) -> Iterator[Drift]:
    for path, (kinds, optional) in wanted.items():
        accepted = kinds.split("|")
        found = seen.get(path)
        if found is None or found.share < 1:
            around = seen.get(_parent(path))
            lacking = 1 - found.share if found is not None else 1.0
            has_rows = found is not None or (around is not None and around.kinds["object"] > 0)
            if not optional and has_rows and not path.endswith("[]"):
                yield Drift(path, "missing", kinds, dict(found.kinds) if found else {}, lacking, ())
        if found is not None:
            other = {kind: count for kind, count in found.kinds.items() if not _accepts(accepted, kind)}
            if other:
                share = sum(other.values()) / found.kinds.total()
                yield Drift(path, "kind", kinds, other, share, _examples(found, other))


def _accepts(accepted: Sequence[str], kind: str) -> bool:
    family = kind.partition(":")[0]
    return any(one in (kind, family) or family in _GENERAL.get(one, ()) for one in accepted)


def _new(wanted: Mapping[str, object], known: Sequence[str], seen: Profile) -> Iterator[Drift]:
    """Fields of the objects that are read which nobody has heard of."""
    for path, found in seen.items():
        if path and _parent(path) in wanted and path not in wanted and path not in known:
            if path.endswith("[]"):
                continue
            yield Drift(path, "new", "nothing", dict(found.kinds), found.share, _examples(found, found.kinds))


def _examples(seen: Seen, kinds: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(example for kind in kinds for example in seen.examples[kind]))[:EXAMPLES]


def learnt(expected: Expected, seen: Profile) -> Expected:
    """The expectations widened by what was seen: other kinds are accepted, and what is new is known.

    Where nothing was expected, all that was seen is from then on.
    """
    if not expected.read:
        return Expected({_name(path, found): _kinds(found) for path, found in sorted(seen.items()) if path})
    read, known = dict(expected.read), list(expected.known)
    names = {path.removesuffix("?"): path for path in read}
    for drift in compare(expected, seen):
        name = names.get(drift.path, drift.path)
        if drift.what == "new":
            known.append(drift.path)
        elif drift.what == "kind":
            read[name] = "|".join([drift.expected, *sorted(drift.seen)])
        else:
            names[drift.path] = f"{drift.path}?"
            read.pop(name, None)
            read[f"{drift.path}?"] = drift.expected
    return Expected(read, sorted(known))


def _name(path: str, seen: Seen) -> str:
    return path if seen.share == 1 or path.endswith("[]") else f"{path}?"


def _kinds(seen: Seen) -> str:
    """The kinds of a field in general terms; digits keep their number where it was always the same."""
    kinds = set(seen.kinds)
    if len([kind for kind in kinds if kind.startswith("digits")]) > 1 or seen.kinds.total() < ENOUGH:
        kinds = {kind.partition(":")[0] for kind in kinds}
    for general, special in _GENERAL.items():
        present = {kind for kind in kinds if kind.partition(":")[0] in special}
        if len(present) > 1:
            kinds = kinds - present | {general}
    return "|".join(sorted(kinds))
