"""docs/metrics.md: every metric there is, from where it is made."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Final

from prometheus_client.metrics import MetricWrapperBase

ROOMS: Final = {
    "splitcart_common.telemetry": "Of every service, as far as it consumes, decides or publishes",
    "splitcart_scraper.metrics": "Of the scraper",
    "splitcart_gateway.middleware": "Of the gateway",
}
"""The modules that name metrics, and whose they are; a test finds one that is missing here."""


@dataclass(frozen=True, slots=True, order=True)
class Named:
    """A metric; the name is that of its series."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


def metrics(room: str) -> list[Named]:
    """The metrics that a module names, by name."""
    found = vars(import_module(room)).values()
    return sorted(_named(made) for made in found if isinstance(made, MetricWrapperBase))


def _named(made: MetricWrapperBase) -> Named:
    (said,) = made.describe()
    labels = made._labelnames  # noqa: SLF001 - the client has no other way to ask
    name = f"{said.name}_total" if said.type == "counter" else said.name
    return Named(name, said.type, tuple(labels), said.documentation)


def markdown() -> Iterator[str]:
    """The parts of the page."""
    yield "<!-- Written by `python -m docs.generate`: change the code, not this page. -->\n# Metrics"
    yield (
        "At `/metrics` of each service's health port (the gateway: of its own), for Prometheus. The alarms made\n"
        "of them are in `deploy/alerts.yml`, and what to do about each in [a runbook](runbooks/alarms.md).\n"
        "Seconds are wall time."
    )
    for room, whose in ROOMS.items():
        yield f"## {whose}\n\n" + "\n".join(_table(metrics(room)))


def _table(made: list[Named]) -> Iterator[str]:
    yield "| metric | kind | labels | meaning |"
    yield "| --- | --- | --- | --- |"
    for one in made:
        labels = ", ".join(f"`{label}`" for label in one.labels)
        yield f"| `{one.name}` | {one.kind} | {labels} | {one.meaning} |"
