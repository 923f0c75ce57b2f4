import asyncio
from contextlib import asynccontextmanager

import pytest

from splitcart_common.settings import Settings
from splitcart_sandbox import services
from splitcart_sandbox.database import service_dsn, with_database
from splitcart_sandbox.errors import SandboxError
from splitcart_sandbox.services import ALL, GATEWAY, INGEST, SCRAPER, SIMULATOR, Addresses, environment

ADDRESSES = Addresses(
    bootstrap="127.0.0.1:9092",
    dsn="postgresql://postgres:secret@127.0.0.1:5432/splitcart?application_name=x",
    topic_prefix="splitcart",
    clock="2026-09-01T00:00:00+00:00/2026-11-21T08:00:00+00:00/60.0",
    ports={service.name: 20000 + number for number, service in enumerate(ALL)},
)


@pytest.mark.parametrize("service", ALL, ids=lambda s: s.name)
def test_a_service_is_told_what_its_record_says_and_no_more(service: services.Service) -> None:
    assert set(environment(service, ADDRESSES)) == {*service.variables, service.port_variable}


def test_each_service_connects_as_its_own_role_without_the_superusers_password() -> None:
    dsn = environment(INGEST, ADDRESSES)["SPLITCART_POSTGRES_DSN"]
    assert dsn == "postgresql://splitcart_ingest@127.0.0.1:5432/splitcart?application_name=x"
    assert environment(SCRAPER, ADDRESSES)["SPLITCART_POSTGRES_DSN"] == service_dsn(ADDRESSES.dsn, "scraper")


def test_the_settings_every_service_has_can_be_read_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(INGEST, ADDRESSES).items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert str(settings.clock) == ADDRESSES.clock
    assert settings.health_port == ADDRESSES.ports["ingest"]


def test_the_scraper_visits_the_simulator() -> None:
    told = environment(SCRAPER, ADDRESSES)
    assert told["SPLITCART_SCRAPER_BASE_URL_ALDI"] == f"http://127.0.0.1:{ADDRESSES.ports['simulator']}/aldi"
    assert "aldi" in told["SPLITCART_SCRAPER_COMPANIES"].split(",")


def test_a_database_is_named_in_an_address() -> None:
    assert with_database("postgresql://a@h:1/postgres?x=y", "b") == "postgresql://a@h:1/b?x=y"


def test_services_are_chosen_by_name() -> None:
    assert services.choose("all") == ALL
    assert services.choose("none") == ()
    assert services.choose("gateway, simulator") == (SIMULATOR, GATEWAY)
    with pytest.raises(SandboxError, match="no service is called gatway; there are simulator, ingest"):
        services.choose("gatway")


@asynccontextmanager
async def answering(answer: bytes):  # type: ignore[no-untyped-def]
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/readyz"


@pytest.mark.parametrize(
    ("answer", "ready"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.0 200 OK\r\n\r\nok", True),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n200", False),
        (b"", False),
        (b"nonsense\r\n", False),
    ],
)
async def test_ready_is_an_answer_of_200(answer: bytes, ready: bool) -> None:
    async with answering(answer) as url:
        assert await services.answers_ok(url) is ready


async def test_a_closed_port_is_not_ready() -> None:
    assert not await services.answers_ok("http://127.0.0.1:1/readyz")
