"""Broker and server of the environment are used, and nothing is embedded."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from splitcart_sandbox import stack as stack_module
from splitcart_sandbox.errors import SandboxError
from splitcart_sandbox.folder import Folder
from splitcart_sandbox.kafka import answers
from splitcart_sandbox.postgres import Server, clear_stale_pid
from splitcart_sandbox.stack import Stack, running_stack
from splitcart_sandbox.up import sandbox

pytestmark = pytest.mark.stack


async def test_existing_ones_are_used(
    broker: str, database: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SPLITCART_KAFKA_BOOTSTRAP", broker)
    monkeypatch.setenv("SPLITCART_POSTGRES_DSN", database)
    monkeypatch.setenv("SPLITCART_TOPIC_PREFIX", topic_prefix)
    async with sandbox(tmp_path, services=()) as running:
        assert running.stack.supervisor.status() == []
        assert (running.addresses.bootstrap, running.addresses.dsn) == (broker, database)
        assert running.addresses.topic_prefix == topic_prefix
    assert not (tmp_path / "kafka").exists()
    assert not (tmp_path / "postgres").exists()


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("SPLITCART_KAFKA_BOOTSTRAP", "127.0.0.1:1", "no Kafka broker answers at SPLITCART_KAFKA_BOOTSTRAP=127"),
        ("SPLITCART_KAFKA_BOOTSTRAP", "nonsense", "'nonsense' is no address of a broker"),
        ("SPLITCART_POSTGRES_DSN", "postgresql://postgres@127.0.0.1:1/x", "no Postgres server answers"),
    ],
)
async def test_existing_ones_that_do_not_answer_are_named(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    broker: str,
    database: str,
    variable: str,
    value: str,
    words: str,
) -> None:
    monkeypatch.setattr(stack_module, "EXISTING_SECONDS", 0.3)
    monkeypatch.setenv("SPLITCART_KAFKA_BOOTSTRAP", broker)
    monkeypatch.setenv("SPLITCART_POSTGRES_DSN", database)
    monkeypatch.setenv(variable, value)
    with pytest.raises(SandboxError, match=words):
        async with running_stack(Folder.create(tmp_path)):
            pass


async def test_killed_broker_and_server_come_back_where_they_were(stack: Stack, database: str) -> None:
    if not stack.supervisor.status():
        pytest.skip("the run uses an existing broker and server")
    connection = await asyncpg.connect(database)
    await connection.execute("CREATE TABLE public.kept AS SELECT 1 AS one")
    await connection.close()
    await asyncio.gather(
        stack.supervisor.restart("kafka", kill=True), stack.supervisor.restart("postgres", kill=True)
    )
    assert await answers(stack.bootstrap)
    connection = await asyncpg.connect(database)
    assert await connection.fetchval("SELECT one FROM public.kept") == 1
    await connection.close()


def test_a_pid_file_that_another_process_inherited_is_removed(tmp_path: Path) -> None:
    """Postgres itself would refuse to start while any process has that pid; pid 1 always runs."""
    file = tmp_path / "postmaster.pid"
    for content in ("1\n/somewhere\n", "", "nonsense\n"):
        file.write_text(content)
        clear_stale_pid(tmp_path)
        assert not file.exists()
    clear_stale_pid(tmp_path)


async def test_a_server_of_another_major_version_is_left_alone(tmp_path: Path) -> None:
    server = Server(tmp_path / "postgres", tmp_path / "log", 1)
    server.data.mkdir(parents=True)
    (server.data / "PG_VERSION").write_text("17\n")
    with pytest.raises(SandboxError, match="is of Postgres 17, and this is Postgres 18: nothing was changed"):
        await server.prepare()
