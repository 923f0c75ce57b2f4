"""Settings of the gateway: those every service has, where it listens, and how it reads."""

from pydantic import Field

from splitcart_common.settings import Settings


class GatewaySettings(Settings):
    """Read from the environment, prefix ``SPLITCART_``."""

    gateway_host: str = Field(default="127.0.0.1", description="address the API and the pages listen on")
    gateway_port: int = Field(default=8080, ge=1, le=65535, description="port the API and the pages listen on")
    gateway_connections: int = Field(default=4, ge=1, le=64, description="most database connections")
    gateway_query_seconds: float = Field(
        default=5.0, gt=0, description="a request that the database keeps waiting for so long is answered with 503"
    )
    gateway_refresh_seconds: float = Field(
        default=5.0, gt=0, description="wall seconds between two looks at whether the stores have changed"
    )
