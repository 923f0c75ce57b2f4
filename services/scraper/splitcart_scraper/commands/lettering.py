"""Dead letters in words, and as JSON."""

import re
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from splitcart_common.dead_letters import Letter, LetterError
from splitcart_common.reading import LogReader
from splitcart_scraper.handlers.letters import Verdict
from splitcart_scraper.handlers.redrive import Step

NONE: Final = "there are no such dead letters"
_NAME: Final = re.compile(r"[a-z-]+\.[a-z]+\.dlq/0/\d+")

Found = AsyncIterator[Letter | LetterError]


def is_name(name: str) -> bool:
    """Whether a text is what a letter is called."""
    return _NAME.fullmatch(name) is not None


@dataclass(slots=True)
class _Count:
    letters: int = 0
    redriven: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None


@dataclass(slots=True)
class Counts:
    """Letters by topic, service and reason."""

    groups: dict[tuple[str, str, str], _Count] = field(default_factory=dict)

    def add(self, letter: Letter, *, redriven: bool) -> None:
        """One letter more."""
        count = self.groups.setdefault((letter.topic.name, letter.service, letter.reason), _Count())
        count.letters += 1
        count.redriven += redriven
        count.first_at = min(count.first_at or letter.written_at, letter.written_at)
        count.last_at = max(count.last_at or letter.written_at, letter.written_at)

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(count.letters for count in self.groups.values())

    def rows(self) -> list[dict[str, object]]:
        """One for each topic, service and reason."""
        return [
            {
                "topic": topic,
                "service": service,
                "reason": reason,
                "count": count.letters,
                "redriven": count.redriven,
                "first_at": iso(count.first_at),
                "last_at": iso(count.last_at),
            }
            for (topic, service, reason), count in sorted(self.groups.items())
        ]

    def words(self) -> str:
        """The same for people."""
        lines = [
            f"{row['topic']:<18} {row['service']:<14} {row['reason']:<16} {row['count']:>7}  "
            f"{row['first_at']} to {row['last_at']}" + (f", {row['redriven']} redriven" if row["redriven"] else "")
            for row in self.rows()
        ]
        return "\n".join(lines) or NONE


def content(letter: Letter) -> dict[str, object]:
    """A letter in short."""
    return {
        "letter": letter.name,
        "source": letter.source,
        "key": text(letter.key),
        "reason": letter.reason,
        "error": letter.error,
        "at": iso(letter.written_at),
    }


def now(letter: Letter, verdict: Verdict) -> dict[str, object]:
    """What the code of today says of it."""
    error = None if verdict.dead is None else f"{verdict.dead.reason}: {verdict.dead.error}"
    return {"now": verdict.words(letter), "now_error": error}


def line(shown: Mapping[str, object]) -> str:
    """A line of what `content` gives."""
    if "problem" in shown:
        return printable(str(shown["problem"]))
    done = " (redriven)" if shown.get("redriven") else ""
    said = f"{shown['reason']}: {str(shown['error'])[:200]}"
    return f"{shown['at']}  {shown['letter']}  {shown['source']}  {shown['key']}  {printable(said)}{done}"


def in_full(letter: Letter, verdict: Verdict, redriven_at: datetime | None) -> str:
    """All of a letter."""
    dead = "" if verdict.dead is None else f" ({verdict.dead.reason}: {printable(verdict.dead.error)})"
    lines = [
        f"{letter.name}: stood at {letter.source}, given up by {letter.service} {letter.service_version} at "
        f"{iso(letter.written_at)}",
        f"{letter.reason}: {printable(letter.error)}",
        f"now: {verdict.words(letter)}{dead}",
        f"key: {text(letter.key)}",
        *(f"{printable(header)}: {text(value)}" for header, value in letter.headers),
        "",
        "(no value)" if letter.value is None else printable(letter.value.decode(errors="backslashreplace")),
    ]
    if redriven_at is not None:
        lines.append(f"brought back at {iso(redriven_at)} (virtual)")
    return "\n".join(lines)


def step_content(step: Step) -> dict[str, object]:
    """What was done with a letter, or would be."""
    scrape = None if step.scrape_id is None else str(step.scrape_id)
    return {
        "letter": step.letter.name,
        "source": step.letter.source,
        "key": text(step.letter.key),
        "action": step.action,
        "why": step.why,
        "scrape_id": scrape,
    }


def step(done: Step) -> str:
    """The same as a line."""
    became = "" if done.scrape_id is None else f", as scrape {done.scrape_id}"
    return f"{done.letter.name}  {text(done.letter.key)}  {done.action}: {printable(done.why)}{became}"


def summary(counts: Counter[str], *, yes: bool) -> str:
    """What became of all of them."""
    brought, done, refused = counts["redrive"] + counts["say-again"], counts["done"], counts["refused"]
    others = f"{done} were done before, {refused} refused"
    if yes:
        return f"{brought} brought back, {others}"
    return f"{brought} would be brought back, {others}; nothing was done: --yes does it"


def text(value: bytes | None) -> str | None:
    """Bytes as text that a terminal shows and does not obey."""
    return None if value is None else printable(value.decode(errors="backslashreplace"))


def printable(said: str) -> str:
    """A text with its control characters named."""
    return said if said.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in said)


def iso(at: datetime | None) -> str | None:
    """A time to the second."""
    return None if at is None else at.isoformat(timespec="seconds")


@contextmanager
def counting(reader: LogReader, total: int) -> Iterator[Callable[[Found], Found]]:
    """Letters read, x/total, on a terminal; what is yielded goes around what is read."""
    if not sys.stderr.isatty() or not total:
        yield lambda found: found
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading dead letters", total=total)

        async def counted(found: Found) -> Found:
            async for letter in found:
                progress.update(task, completed=reader.passed)
                yield letter

        yield counted
