"""What the demo shows: a live panel on a terminal, a line every few seconds elsewhere, and a summary."""

import sys
import time
from collections import Counter
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from splitcart_sandbox.demo.figures import Snapshot, Summary, Verdict, mean

LINE_SECONDS: Final = 5.0
"""How often a line is written where there is no terminal."""


class Screen:
    """Shows progress on standard error; the result goes to standard output."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, refresh_per_second=4) if self._console.is_terminal else None
        self._written = 0.0
        self._began = time.monotonic()
        self.page = ""

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._live:
            self._live.stop()

    def say(self, text: str) -> None:
        """Tell what is being done."""
        self._console.print(f"[dim]{text}[/dim]" if self._live else text, highlight=False)

    def show(self, now: Snapshot, before: Snapshot, seconds: float, verdict: Verdict | None) -> None:
        """Show progress; `before` is the snapshot of `seconds` ago."""
        rate = (now.observations - before.observations) / seconds if seconds else 0.0
        if self._live:
            self._live.update(self._panel(now, rate, verdict))
        elif time.monotonic() - self._written >= LINE_SECONDS:
            self._written = time.monotonic()
            self._console.print(_line(now, rate, verdict), highlight=False, soft_wrap=True)

    def _panel(self, now: Snapshot, rate: float, verdict: Verdict | None) -> Panel:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", justify="right")
        table.add_column(justify="right", style="bold")
        table.add_column(style="dim")
        table.add_row(
            "virtual time", f"{now.at:%a %d %b %H:%M}", f"{time.monotonic() - self._began:.0f} s of yours"
        )
        scraped = f"{now.scraped_stores} of {now.stores} stores seen whole"
        table.add_row(
            "scrapes", f"{now.scrapes:,}", f"{scraped}, {now.partial} partial, {now.abandoned} abandoned"
        )
        table.add_row("requests", f"{now.requests:,}", "to the retailers, one at a time each")
        table.add_row("observations", f"{now.observations:,}", f"{rate:,.0f} a second folded")
        table.add_row("changes", f"{now.changes:,}", f"to {now.prices:,} prices held")
        grouped = ", ".join(f"{company} {count:,}" for company, count in now.groups.items())
        table.add_row("groups", f"{sum(now.groups.values()):,}", f"of stores with equal prices: {grouped}")
        table.add_row("lag", f"{now.lag:,}", "messages on their way")
        if verdict:
            table.add_row("right now", f"{mean(verdict.accuracy):.2%}", "of served prices equal the truth")
        link = Text(f"\n{self.page}  finds a price; Ctrl-C ends", style="cyan")
        return Panel(Group(table, link), title="SplitCart", border_style="green", expand=False)


def _line(now: Snapshot, rate: float, verdict: Verdict | None) -> str:
    right = f", {mean(verdict.accuracy):.2%} right" if verdict else ""
    return (
        f"{now.at:%a %d %b %H:%M}  {now.scrapes:,} scrapes, {now.requests:,} requests, "
        f"{now.observations:,} observations ({rate:,.0f}/s), {now.changes:,} changes, "
        f"{sum(now.groups.values())} groups, lag {now.lag}{right}"
    )


def _manners(summary: Summary) -> str:
    """What the hosts say of their visitors."""
    hosts = summary.hosts.values()
    gap = max((host.gap_asked_seconds for host in hosts), default=0.0)
    asked, early = sum(host.asked_to_wait for host in hosts), sum(host.too_soon for host in hosts)
    told = f"; asked {asked:,} times to wait, {early:,} requests came too soon" if asked else ""
    return f"hosts were asked one thing at a time, {gap:g} s apart or more{told}"


def print_summary(summary: Summary, page: str) -> None:
    """The end of a run, for people."""
    table = Table(title="What the demo found", title_justify="left", show_header=False)
    table.add_column(style="dim")
    table.add_column(justify="right", style="bold")
    table.add_column(style="dim")
    fidelity = f"{summary.fidelity:.4%}" if summary.fidelity < 1 else "100 %"
    table.add_row("fidelity", fidelity, "of the prices folded were true when they were read")
    table.add_row("accuracy", f"{summary.accuracy:.2%}", "of all served prices were true at the stop")
    settled = "of those whose anchor was seen since prices turned"
    table.add_row("accuracy, settled", f"{summary.accuracy_settled:.2%}", settled)
    table.add_row("stores", f"{summary.stores:,}", f"of about {summary.listings_per_store} listings each")
    table.add_row("virtual days", f"{summary.virtual_days:.1f}", f"in {summary.seconds:.0f} s")
    requests = f"{summary.requests:,} requests to the retailers"
    table.add_row("observations", f"{summary.observations:,}", requests)
    groups = ", ".join(f"{n} of {company}" for company, n in summary.groups.items())
    zones = ", ".join(f"{n} of {company}" for company, n in summary.zones.items())
    table.add_row("groups", f"{sum(summary.groups.values())}", f"{groups}; true price zones: {zones}")
    table.add_row(
        "requests saved", f"{summary.requests_saved:,}", "against visiting each store as often as its anchor"
    )
    reasons = Counter(given_up["reason"] for given_up in summary.abandoned)
    why = ", ".join(f"{count} for {reason}" for reason, count in reasons.most_common())
    table.add_row("abandoned", f"{len(summary.abandoned)}", why or "no scrape was given up")
    polite = sum(host.polite for host in summary.hosts.values())
    table.add_row("manners", f"{polite} of {len(summary.hosts)}", _manners(summary))
    table.add_row("dead letters, lag", f"{summary.dead_letters}, {summary.lag}", "all is folded")
    Console(file=sys.stdout).print(table)
    Console(file=sys.stdout).print(f"The page was at {page}; run `make demo` to have it stay.", highlight=False)
