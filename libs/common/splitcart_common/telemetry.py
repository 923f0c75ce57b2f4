"""Logs, metrics and health: every metric of SplitCart is named here, with its meaning.

A worker service answers /healthz (the process lives), /readyz (it has what it needs) and /metrics on its
health port; the gateway serves the same three itself.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

MESSAGES: Final = Counter(
    "splitcart_messages_total",
    "Messages by what became of them: folded, skipped or dead",
    ["service", "topic", "outcome"],
)
DEAD_LETTERS: Final = Counter(
    "splitcart_dead_letters_total", "Dead letters by the reason for which", ["service", "topic", "reason"]
)
LAG_MESSAGES: Final = Gauge(
    "splitcart_lag_messages", "End offset less the position in Postgres", ["service", "topic", "partition"]
)
LAG_SECONDS: Final = Gauge(
    "splitcart_lag_seconds",
    "Wall seconds since the broker had the oldest message that is not folded; 0 where all is",
    ["service", "topic", "partition"],
)
STALLED_SECONDS: Final = Gauge(
    "splitcart_stalled_seconds",
    "Wall seconds for which a position has not moved though there is more to fold",
    ["service", "topic", "partition"],
)
LOOKED_AT: Final = Gauge(
    "splitcart_consumer_looked_timestamp_seconds",
    "Wall time at which a consumer last looked at its partitions: one that hangs does not",
    ["service"],
)
CATCHING_UP: Final = Gauge(
    "splitcart_catching_up_messages",
    "Of the last long fold, from 1,000 messages behind on: how many were folded, and how many it takes in total",
    ["service", "of"],
)
BATCH_SECONDS: Final = Histogram(
    "splitcart_batch_seconds", "Time from a batch's first decode to its commit", ["service", "topic"]
)
STOPPED_PARTITIONS: Final = Gauge(
    "splitcart_stopped_partitions", "Partitions stopped after too many dead letters", ["service", "topic"]
)
OUTBOX_ROWS: Final = Gauge(
    "splitcart_outbox_rows",
    "Rows that wait to be published",
    ["service"],
)
OUTBOX_AGE: Final = Gauge(
    "splitcart_outbox_age_seconds",
    "Wall seconds for which the oldest of these rows has been seen waiting",
    ["service"],
)
RELAYED: Final = Counter("splitcart_relayed_total", "Messages the relay published", ["service"])
DEAD_LETTER_MESSAGES: Final = Gauge(
    "splitcart_dead_letter_messages", "Dead letters there are, of whatever time", ["service", "topic"]
)
SCRAPES: Final = Counter(
    "splitcart_scrapes_total",
    "Scrapes folded, by how they ended: full, partial, abandoned or superseded",
    ["company", "outcome"],
)
OBSERVATIONS: Final = Counter(
    "splitcart_observations_total",
    "Listings of scrapes folded, by what became of their price: created, updated, unchanged or withdrawn",
    ["company", "effect"],
)
DECISIONS: Final = Counter(
    "splitcart_catalogue_decisions_total",
    "Decisions about the catalogue: the rule that linked a listing, or what else happened",
    ["rule"],
)
DECIDING: Final = Gauge("splitcart_identity_deciding", "1 where this process decides, 0 where it stands by")
CATALOGUE_LISTINGS: Final = Gauge(
    "splitcart_catalogue_listings", "Listings that are linked to a product, as the deciding process knows"
)


def configure_logging(service: str, log_format: str = "json", level: str = "info") -> None:
    """Send structlog and the libraries' loggers to standard error, one line an event."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    last: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(service=service)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    logging.basicConfig(level=max(threshold, logging.WARNING), handlers=[handler], force=True)


class Health:
    """What a service still waits for. Ready when nothing is left; the text of /readyz is the list, then notes."""

    def __init__(self) -> None:
        self._waiting: dict[str, str] = {"start": "the service is starting"}
        self._notes: dict[str, str] = {}
        self._expected: dict[str, tuple[float, str]] = {}

    def wait_for(self, what: str, why: str) -> None:
        """Not ready until `what` is there."""
        self._waiting[what] = why

    def has(self, what: str) -> None:
        """`what` is there."""
        self._waiting.pop(what, None)
        self._expected.pop(what, None)

    def expect(self, what: str, seconds: float, why: str) -> None:
        """Not ready from so many wall seconds on, unless this is said again or `what` is there before."""
        self._expected[what] = (time.monotonic() + seconds, why)

    def note(self, what: str, text: str) -> None:
        """Worth knowing, ready or not: which part this process has in something that one of many does."""
        self._notes[what] = text

    @property
    def notes(self) -> dict[str, str]:
        """What is worth knowing."""
        return dict(self._notes)

    @property
    def missing(self) -> dict[str, str]:
        """What is waited for, and why; empty when ready."""
        now = time.monotonic()
        late = {what: why for what, (until, why) in self._expected.copy().items() if now > until}
        return {**self._waiting, **late}


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's signature
        """A probe every second is not worth a line."""


class _ThreadingServer(ThreadingMixIn, WSGIServer):
    """A client that says nothing holds up nobody else."""

    daemon_threads = True


def _lines(said: dict[str, str]) -> bytes:
    return "".join(f"{what}: {text}\n" for what, text in said.items()).encode()


StartResponse = Callable[[str, list[tuple[str, str]]], object]


def serve_health(health: Health, host: str, port: int) -> WSGIServer:
    """Answer /healthz, /readyz and /metrics from a thread, so that a busy event loop is still seen.

    Port 0 takes any free one; the server returned knows which. Close it with ``shutdown()``.
    """

    def answer(environ: dict[str, object], start: StartResponse) -> Iterable[bytes]:
        kind = "text/plain; charset=utf-8"
        match environ["PATH_INFO"]:
            case "/healthz":
                status, body = "200 OK", b"alive\n"
            case "/readyz":
                missing = health.missing
                status = "503 Service Unavailable" if missing else "200 OK"
                body = (_lines(missing) or b"ready\n") + _lines(health.notes)
            case "/metrics":
                status, body, kind = "200 OK", generate_latest(), CONTENT_TYPE_LATEST
            case _:
                status, body = "404 Not Found", b"there are /healthz, /readyz and /metrics\n"
        start(status, [("content-type", kind), ("content-length", str(len(body)))])
        return [body]

    server = make_server(host, port, answer, server_class=_ThreadingServer, handler_class=_QuietHandler)
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
