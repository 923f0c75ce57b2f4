"""Where a product belongs whose source names no leaf of the company's tree: a guess; SOURCES.md says so."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

Path = tuple[str, ...]

UNTELLING = frozenset({"and", "for", "food", "other", "the", "with"})
"""Words of category names that say nothing about what is in them."""


def words(text: str) -> set[str]:
    """Words of three letters and more, in the singular as far as an s goes."""
    return {word.removesuffix("s") for word in re.findall(r"[a-z]{3,}", text.casefold())} - UNTELLING


def leaf_by_words(name: set[str], known: Sequence[str], leaves: dict[Path, list[set[str]]]) -> Path | None:
    """The leaf below a known part of a path whose own and parents' names share most with a product's."""
    found, best = None, 0.0
    for path, (*above, leaf) in leaves.items():
        shared = 2 * len(name & leaf) / max(len(leaf), 1) + sum(bool(name & parent) for parent in above)
        if known and path[1].casefold() == known[0].casefold() and shared > best:
            found, best = path, shared
    return found


def placed(rows: Iterable[dict[str, Any]], paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """The rows, each with the path of a leaf: its own, or that of the products its name is most like.

    Each word of a name votes, by how the products whose leaf is known and whose names bear it are spread over the
    leaves; the names of the leaves themselves vote too. Where the source knows a department, only its leaves
    stand; what the tree does not know of a path lends its words to the name, but for a department, whose words
    say too much. A row nothing votes on is dropped.
    """
    rows = list(rows)
    spelled = {_folded(path): path for path in paths}
    inner = {_folded(path[:depth]) for path in paths for depth in range(1, len(path))}
    votes = _votes((words(row["name"]), spelled.get(_folded(row["category_path"]))) for row in rows)
    for path in paths:
        for word in words(path[-1]):
            votes[word][path] += 1 / len(words(path[-1]))
    for row in rows:
        known = _folded(row["category_path"])
        leaf = spelled.get(known)
        if leaf is None:
            in_tree = next((known[:depth] for depth in range(len(known), 0, -1) if known[:depth] in inner), ())
            telling = words(" ".join((row["name"], *known[max(len(in_tree), 1) :])))
            leaf = _elected(telling, in_tree, votes)
        if leaf is not None:
            yield {**row, "category_path": leaf}


def _folded(path: Iterable[str]) -> Path:
    return tuple(name.casefold() for name in path)


Votes = defaultdict[str, defaultdict[Path, float]]
"""For each word, how much it says for each leaf."""


def _votes(known: Iterable[tuple[set[str], Path | None]]) -> Votes:
    """The share of the products bearing a word that are in each leaf."""
    votes: Votes = defaultdict(lambda: defaultdict(float))
    for name, leaf in known:
        if leaf is not None:
            for word in name:
                votes[word][leaf] += 1.0
    for leaves in votes.values():
        total = sum(leaves.values())
        leaves.update({leaf: count / total for leaf, count in leaves.items()})
    return votes


def _elected(telling: set[str], below: Path, votes: Votes) -> Path | None:
    tally: defaultdict[Path, float] = defaultdict(float)
    for word in sorted(telling & votes.keys()):
        for leaf, share in votes[word].items():
            if _folded(leaf[: len(below)]) == below:
                tally[leaf] += share
    return max(sorted(tally), key=tally.__getitem__, default=None)
