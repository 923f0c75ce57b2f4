"""What the verbs `dlq list|show|diff|redrive` do."""

import base64
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import msgspec
import typer

from splitcart_common.dead_letters import Letter, LetterError
from splitcart_common.ids import split_store_key
from splitcart_common.kafka import UNAVAILABLE
from splitcart_common.outcomes import Reason
from splitcart_common.reading import LogReader, reading
from splitcart_scraper.app import Parts
from splitcart_scraper.commands import lettering as words
from splitcart_scraper.commands.shell import CommandError, connected, execute, publishing, settings_for
from splitcart_scraper.handlers.letters import WITH_LETTERS, Wanted, judge, read, spans
from splitcart_scraper.handlers.redrive import Redriver, place_of
from splitcart_scraper.store import redrives

Said = tuple[dict[str, object], str]


def wanted(
    topic: str | None,
    service: str | None,
    reason: Reason | None,
    store: str | None,
    since: datetime | None,
    names: Iterable[str] = (),
) -> Wanted:
    """The options checked; CommandError, as `execute` shows it, is raised when they are used."""
    at = None if since is None else since.replace(tzinfo=since.tzinfo or UTC)
    return Wanted(topic, service, None if reason is None else reason.value, store, at, frozenset(names))


def list_all(asked: Wanted, limit: int | None, *, dev: bool, as_json: bool) -> None:
    """The verb `dlq list`."""

    async def main() -> Said:
        counts = words.Counts()
        newest: list[dict[str, object]] = []
        async with _letters(asked, dev=dev) as (made, _, found):
            done = await redrives.redriven(made.pool)
            async for letter in found:
                if isinstance(letter, LetterError):
                    newest.append({"problem": str(letter)})
                else:
                    redriven = place_of(letter) in done
                    counts.add(letter, redriven=redriven)
                    newest.append(words.content(letter) | {"redriven": redriven})
                newest = newest[-(limit or 1) :]
        content: dict[str, object] = {"dead_letters": counts.total, "groups": counts.rows()}
        if limit is None:
            return content, counts.words()
        return content | {"letters": newest}, "\n".join(map(words.line, newest)) or words.NONE

    execute(main(), as_json=as_json)


def show(name: str, *, dev: bool, as_json: bool) -> None:
    """The verb `dlq show`."""

    async def main() -> Said:
        async with _letters(Wanted(names=frozenset({name})), dev=dev) as (made, _, found):
            done = await redrives.redriven(made.pool)
            letter = next((one for one in [one async for one in found] if isinstance(one, Letter)), None)
            if letter is None:
                raise CommandError(f"there is no dead letter {name}: `splitcart dlq list --each` has them")
            verdict = judge(letter, made.clock)
        before = done.get(place_of(letter))
        content = (
            words.content(letter)
            | words.now(letter, verdict)
            | {
                "service_version": letter.service_version,
                "headers": [[header, words.text(value)] for header, value in letter.headers],
                "value": None if letter.value is None else base64.b64encode(letter.value).decode(),
                "event": None if verdict.event is None else msgspec.to_builtins(verdict.event),
                "redriven": before is not None,
                "redriven_as": None if before is None or before.scrape_id is None else str(before.scrape_id),
            }
        )
        return content, words.in_full(letter, verdict, None if before is None else before.at)

    execute(main(), as_json=as_json)


def diff(asked: Wanted, limit: int, *, dev: bool, as_json: bool) -> None:
    """The verb `dlq diff`."""

    async def main() -> Said:
        counts: Counter[tuple[str, str, str, str]] = Counter()
        examples: list[dict[str, object]] = []
        async with _letters(asked, dev=dev) as (made, _, found):
            done = await redrives.redriven(made.pool)
            async for letter in found:
                if isinstance(letter, LetterError):
                    continue
                verdict = judge(letter, made.clock)
                now = verdict.words(letter)
                counts[letter.topic.name, letter.service, letter.reason, now] += 1
                if now != "still dead" and len(examples) < limit:
                    redriven = {"redriven": place_of(letter) in done}
                    examples.append(words.content(letter) | words.now(letter, verdict) | redriven)
        rows: list[dict[str, object]] = [
            {"topic": topic, "service": service, "reason": reason, "now": now, "count": count}
            for (topic, service, reason, now), count in sorted(counts.items())
        ]
        said = [
            f"{row['topic']:<18} {row['service']:<14} {row['reason']:<16} {row['now']:<24} {row['count']:>7}"
            for row in rows
        ]
        said += [f"{words.line(one)}; now {one['now']}" for one in examples]
        return {"groups": rows, "examples": examples}, "\n".join(said) or words.NONE

    execute(main(), as_json=as_json)


def redrive(asked: Wanted, *, dry_run: bool, yes: bool, dev: bool, as_json: bool) -> None:
    """The verb `dlq redrive`."""
    refused = False

    async def main() -> Said:
        nonlocal refused
        if dry_run and yes:
            raise CommandError("--dry-run and --yes are opposites: give one", 2)
        async with _letters(asked, dev=dev) as (made, reader, found), AsyncExitStack() as stack:
            if yes:
                await stack.enter_async_context(publishing(made))
            redriver = Redriver(made.pool, made.clock, made.settings.topic_prefix, reader, made.entropy)
            steps = await redriver.run(found, act=yes)
        missing = asked.names - {step.letter.name for step in steps}
        if missing:
            raise CommandError(
                f"there is no dead letter {', '.join(sorted(missing))}: `splitcart dlq list --each`"
            )
        refused = bool(asked.names) and any(step.action == "refused" for step in steps)
        counts = Counter[str](step.action for step in steps)
        content: dict[str, object] = {
            "did": yes,
            "counts": dict(counts),
            "letters": [words.step_content(step) for step in steps],
        }
        return content, "\n".join([*map(words.step, steps), words.summary(counts, yes=yes)])

    execute(main(), as_json=as_json)
    if refused:
        raise typer.Exit(1)


@asynccontextmanager
async def _letters(
    asked: Wanted, *, dev: bool
) -> AsyncIterator[tuple[Parts, LogReader, AsyncIterator[Letter | LetterError]]]:
    """What is asked for, as it stands now, with what it takes to look further."""
    _check(asked)
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(connected(settings_for(None, dev=dev)))
        settings = made.settings
        try:
            reader = await stack.enter_async_context(reading(settings.kafka_bootstrap, settings.topic_prefix))
        except UNAVAILABLE as error:
            raise CommandError(f"there is no broker at {settings.kafka_bootstrap}: {error}") from None
        where = await spans(reader, settings.topic_prefix, asked)
        with words.counting(reader, sum(span.size for _, _, span in where)) as counted:
            yield made, reader, counted(read(reader, where, asked))


def _check(asked: Wanted) -> None:
    if not asked.sources() or not all(words.is_name(name) for name in asked.names):
        there = ", ".join(f"{topic.name}.{service}.dlq" for topic, service in WITH_LETTERS)
        what = ", ".join(asked.names) or f"{asked.topic or 'any topic'} of {asked.service or 'any service'}"
        raise CommandError(
            f"{what} names no dead letters: there are {there}, and a letter is <one of these>/0/17", 2
        )
    if asked.store is not None:
        try:
            split_store_key(asked.store)
        except ValueError as error:
            raise CommandError(str(error), 2) from None
