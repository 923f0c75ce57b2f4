"""Settings every service reads from the environment; each service adds its own to these."""

from typing import Annotated

from pydantic import Field, PlainSerializer, PlainValidator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from splitcart_common.clock import ScaledClock
from splitcart_common.turns import Turns


def _clock(value: object) -> ScaledClock:
    return value if isinstance(value, ScaledClock) else ScaledClock.parse(str(value))


# NoDecode: the text of the variable is the value, not JSON.
ClockSetting = Annotated[ScaledClock, NoDecode, PlainValidator(_clock), PlainSerializer(str)]


def _turns(value: object) -> Turns:
    return value if isinstance(value, Turns) else Turns.parse(str(value))


TurnsSetting = Annotated[Turns, NoDecode, PlainValidator(_turns), PlainSerializer(str)]


class Settings(BaseSettings):
    """One frozen value, checked at start: a wrong setting ends the process before it touches anything."""

    model_config = SettingsConfigDict(env_prefix="SPLITCART_", frozen=True, extra="ignore")

    kafka_bootstrap: str = Field(default="127.0.0.1:9092", description="host:port of the broker, comma separated")
    postgres_dsn: str = Field(
        default="postgresql://127.0.0.1:5432/splitcart", description="where the schemas live"
    )
    topic_prefix: str = Field(
        default="splitcart", pattern=r"^[a-z][a-z0-9-]*$", description="first word of topics"
    )
    instance: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]+$",
        description="this process among its service's: one that is restarted under its name gets its partitions "
        "back at once, not after the 10 s in which a nameless one is missed",
    )
    clock: ClockSetting = Field(
        default_factory=ScaledClock.real, description="<virtual start>/<wall anchor>/<speed>"
    )
    turns: TurnsSetting = Field(
        # Midnight in Sydney; the hour is not known (retailers.md, section 5).
        default_factory=lambda: Turns.parse("tue 14:00"),
        description="when prices turn, UTC: [<company>=]<day> <hour>:<minute>, comma separated",
    )
    dead_letters_in_a_row: int = Field(
        default=50, ge=1, description="so many dead letters in a row stop their partition: a fault of ours"
    )
    dead_letters_share: float = Field(
        default=0.5, gt=0, le=1, description="and so does a greater share of the last messages; 1: no share does"
    )
    dead_letters_window: int = Field(default=200, ge=1, description="how many messages these are")
    log_format: str = Field(default="json", pattern="^(json|console)$", description="json for machines, console")
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    health_host: str = Field(default="127.0.0.1", description="where /healthz, /readyz and /metrics are served")
    health_port: int = Field(default=0, ge=0, le=65535, description="0: any free port, printed at start")
