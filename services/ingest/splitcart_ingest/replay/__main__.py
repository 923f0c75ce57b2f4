"""``python -m splitcart_ingest.replay``: a worker of a replay, told what to do by whoever started it."""

import asyncio

from splitcart_common.service import tune_collector
from splitcart_ingest.replay.workers import work

if __name__ == "__main__":
    tune_collector()
    asyncio.run(work())
