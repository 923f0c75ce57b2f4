"""The broker and the server all tests of a run share, and a database or a topic prefix of its own for each.

Started once a run in a temporary folder; SPLITCART_KAFKA_BOOTSTRAP and SPLITCART_POSTGRES_DSN, where set, are
used instead (whatever is made there is dropped again).
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from aiokafka.admin import AIOKafkaAdminClient

from splitcart_sandbox.database import create_database, drop_database, prepare_database, run_sql
from splitcart_sandbox.folder import Folder
from splitcart_sandbox.stack import Stack, running_stack


@dataclass(frozen=True, slots=True)
class Server:
    """A Postgres server: the superuser's address, and a database with roles and extensions to copy from."""

    dsn: str
    template: str


@asynccontextmanager
async def session_stack() -> AsyncIterator[Stack]:
    """Broker and server in a temporary folder for the length of a run (about 3.5 s to start)."""
    # Not pytest's own temporary folder: as root the server runs as another user, who is to be let through to
    # its data, and pytest closes its folder for others whenever another run starts.
    home = Path(tempfile.mkdtemp(prefix="splitcart-tests-"))
    try:
        async with running_stack(Folder.create(home / "home")) as stack:
            yield stack
    finally:
        await asyncio.to_thread(shutil.rmtree, home, ignore_errors=True)


@asynccontextmanager
async def template_server(dsn: str) -> AsyncIterator[Server]:
    """Make the template database of a run, and drop it after (0.15 s)."""
    name = f"splitcart_template_{uuid4().hex[:12]}"
    await prepare_database(await create_database(dsn, name))
    try:
        yield Server(dsn, name)
    finally:
        await drop_database(dsn, name)


@asynccontextmanager
async def fresh_database(server: Server) -> AsyncIterator[str]:
    """A new, prepared database, dropped after: its address as superuser (about 45 ms, and 15 ms to drop)."""
    name = f"test_{uuid4().hex[:12]}"
    dsn = await create_database(server.dsn, name, template=server.template)
    try:
        # The template brings everything but the grants on the database itself, which are never copied.
        await prepare_database(dsn)
        yield dsn
    finally:
        await drop_database(server.dsn, name)


@asynccontextmanager
async def fresh_prefix(bootstrap: str) -> AsyncIterator[str]:
    """A topic prefix no other test uses; its topics (`<prefix>.…`) are deleted after."""
    prefix = f"t{uuid4().hex[:12]}"
    try:
        yield prefix
    finally:
        await delete_topics(bootstrap, prefix)


async def delete_topics(bootstrap: str, prefix: str) -> None:
    """Delete every topic of a prefix."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        mine = [name for name in await admin.list_topics() if name.startswith(f"{prefix}.")]
        if mine:
            await admin.delete_topics(mine)
    finally:
        await admin.close()


__all__ = [
    "Server",
    "delete_topics",
    "fresh_database",
    "fresh_prefix",
    "run_sql",
    "session_stack",
    "template_server",
]
