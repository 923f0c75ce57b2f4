"""Settings of grouping: those every service has, the size of its work, and how often it looks by itself."""

from pydantic import Field

from splitcart_common.settings import Settings


class GroupingSettings(Settings):
    """Read from the environment, prefix ``SPLITCART_``."""

    grouping_maintain_seconds: float = Field(
        default=30, gt=0, description="wall seconds between looks for heirs, stale anchors and merges"
    )
    grouping_batch_messages: int = Field(
        default=50, ge=1, le=5000, description="most messages a fetch, and so a transaction"
    )
    grouping_held_messages: int = Field(
        default=200, ge=1, description="most messages waiting or in work, all partitions; some 20 kB each"
    )
    grouping_connections: int = Field(
        default=10, ge=3, le=64, description="database connections; one is the relay's, one each transaction's"
    )
