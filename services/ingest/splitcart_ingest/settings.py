"""Settings of ingest: those every service has, and the size of its work."""

from pydantic import Field

from splitcart_common.settings import Settings


class IngestSettings(Settings):
    """Read from the environment, prefix ``SPLITCART_``."""

    ingest_schema: str = Field(
        default="ingest_g1",
        pattern=r"^ingest_g[0-9]+$",
        description="the generation a database begins with; `splitcart replay` makes and swaps others",
    )
    ingest_batch_messages: int = Field(
        default=100, ge=1, le=5000, description="most messages a fetch, and so a transaction"
    )
    ingest_held_messages: int = Field(
        default=300, ge=1, description="most messages waiting or in work, all partitions; some 80 kB each"
    )
    ingest_connections: int = Field(default=4, ge=2, le=64, description="database connections; one is the relay's")
    ingest_cached_prices: int = Field(
        default=1_000_000, ge=0, description="prices of recent stores kept in memory; some 130 bytes each"
    )
    ingest_housekeep_seconds: float = Field(
        default=60, gt=0, description="wall seconds between two looks for rows of members that can be dropped"
    )
    ingest_identity_messages: int = Field(
        default=500, ge=1, le=5000, description="most descriptions that are decided on in one transaction"
    )
    ingest_identity_lease_seconds: float = Field(
        default=60,
        ge=1,
        description="wall seconds after which the server ends the session of a process that decides which product "
        "each listing is and says nothing; another takes over. Loading the catalogue has to take less",
    )
