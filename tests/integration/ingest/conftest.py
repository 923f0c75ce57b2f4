"""Ingest's schema and handlers without a broker."""

from collections.abc import AsyncIterator

import pytest

from splitcart_common.postgres import Pool
from splitcart_ingest.app import open_pool, prepare
from splitcart_ingest.settings import IngestSettings
from splitcart_sandbox.database import service_dsn
from tests.support.ingest import ByHand


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """Connections to a fresh generation."""
    settings = IngestSettings(postgres_dsn=service_dsn(database, "ingest"))
    await prepare(settings)
    pool = await open_pool(settings)
    try:
        yield pool
    finally:
        await pool.close()


@pytest.fixture
def hand(pool: Pool) -> ByHand:
    """The handlers, given messages by hand."""
    return ByHand(pool)
