"""A live generation to replay."""

from collections.abc import AsyncIterator

import pytest

from tests.support.replay import Live, folded_live, some_log


@pytest.fixture
async def live(database: str, broker: str, topic_prefix: str) -> AsyncIterator[Live]:
    """One that has folded something of everything, and stands still."""
    async with folded_live(database, broker, topic_prefix, some_log()) as made:
        yield made
