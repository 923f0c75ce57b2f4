"""A running broker and server on a data folder: embedded ones, or existing ones named by the environment."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Final

from splitcart_sandbox import jars, kafka, ports, postgres
from splitcart_sandbox.errors import SandboxError
from splitcart_sandbox.folder import Folder, State
from splitcart_sandbox.processes import MARKER, Program
from splitcart_sandbox.supervisor import Probe, Report, Supervisor, until

EXISTING_SECONDS: Final = 15.0
"""How long an existing broker or server may take to answer."""


@dataclass(slots=True)
class Stack:
    """What runs: `bootstrap` and `dsn` (a superuser's) are where clients connect.

    `supervisor` runs what is embedded; whoever adds services to it has them stopped before broker and server.
    `state` is the folder's, written at every change of a process and by `save`.
    """

    folder: Folder
    supervisor: Supervisor
    state: State
    bootstrap: str = ""
    dsn: str = ""

    def port(self, name: str, fixed: int = 0) -> int:
        """The port of `name`: as before if that is still free (see `ports.choose`), and written down."""
        others = {port for other, port in self.state.ports.items() if other != name}
        port = ports.choose(name, fixed=fixed, remembered=self.state.ports.get(name, 0), taken=others)
        self.state.ports[name] = port
        return port

    def save(self) -> None:
        """Write the state file."""
        self.state.children = self.supervisor.recorded()
        self.state.statuses = [
            {**asdict(status), "since": status.since.isoformat()} for status in self.supervisor.status()
        ]
        self.state.pid = os.getpid()
        self.state.seen_at = datetime.now(UTC).isoformat()
        self.folder.save(self.state)


@asynccontextmanager
async def running_stack(
    folder: Folder,
    *,
    supervisor: Supervisor | None = None,
    kafka_port: int = 0,
    postgres_port: int = 0,
    report: Report = lambda _: None,
) -> AsyncIterator[Stack]:
    """Hold the folder, stop what a crash left running, start broker and server; stop everything at the end.

    SPLITCART_KAFKA_BOOTSTRAP and SPLITCART_POSTGRES_DSN, where set, are used instead of an embedded one.
    SandboxError if the folder is in use, a port is taken, or one of the two does not start.
    """
    with folder.held():
        # Off the loop: it looks at every process there is.
        if swept := await asyncio.to_thread(folder.sweep):
            report(f"stopped what a crash had left running: {', '.join(swept)}")
        stack = Stack(folder, supervisor or Supervisor(), folder.load())
        stack.state.children, stack.state.statuses, stack.state.addresses = [], [], {}
        stack.state.phase = "starting"
        stack.supervisor.on_change, stack.supervisor.report = stack.save, report
        try:
            stack.bootstrap, stack.dsn = await _both(
                _broker(stack, kafka_port, report), _server(stack, postgres_port, report)
            )
            yield stack
        finally:
            stack.state.phase = "stopping"
            await stack.supervisor.stop()
            stack.state.phase = "stopped"
            stack.save()


async def _both(first: Coroutine[None, None, str], second: Coroutine[None, None, str]) -> tuple[str, str]:
    """Run both at once; if one fails the other is ended before its error goes on."""
    tasks = (asyncio.create_task(first), asyncio.create_task(second))
    try:
        await asyncio.gather(*tasks)
        return tasks[0].result(), tasks[1].result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _broker(stack: Stack, fixed: int, report: Report) -> str:
    if existing := os.environ.get("SPLITCART_KAFKA_BOOTSTRAP"):
        await _answering(
            lambda: kafka.answers(existing), f"no Kafka broker answers at SPLITCART_KAFKA_BOOTSTRAP={existing}"
        )
        return existing
    port, controller_port = stack.port("kafka", fixed), stack.port("kafka-controller")
    class_path = await _jars(report)
    directory, log = stack.folder.path / "kafka", stack.folder.log(kafka.NAME)
    broker = kafka.Broker(directory, log, port, controller_port, class_path)
    report("starting Kafka")
    await broker.prepare()
    stack.supervisor.add(_marked(broker.program, stack), broker.ready)
    await stack.supervisor.wait_ready(kafka.NAME, kafka.START_SECONDS)
    return broker.bootstrap


async def _jars(report: Report) -> str:
    stop = threading.Event()

    def progress(done: int, of: int) -> None:
        if done % 10 == 0 or done == of:
            report(f"fetching Kafka, once a machine: {done} of {of} jars")

    try:
        return await asyncio.to_thread(jars.fetch, progress, stop)
    finally:
        stop.set()  # a Ctrl-C does not wait for the rest


async def _server(stack: Stack, fixed: int, report: Report) -> str:
    if existing := os.environ.get("SPLITCART_POSTGRES_DSN"):
        await _answering(
            lambda: postgres.answers(existing),
            "no Postgres server answers at the address in SPLITCART_POSTGRES_DSN",
        )
        return existing
    server = postgres.Server(
        stack.folder.path / "postgres", stack.folder.log(postgres.NAME), stack.port("postgres", fixed)
    )
    report("starting Postgres")
    await server.prepare()
    stack.supervisor.add(_marked(server.program, stack), server.ready)
    await stack.supervisor.wait_ready(postgres.NAME, postgres.START_SECONDS)
    return server.dsn


def _marked(program: Program, stack: Stack) -> Program:
    return replace(program, env={**program.env, MARKER: str(stack.folder.path)})


async def _answering(probe: Probe, complaint: str) -> None:
    try:
        async with asyncio.timeout(EXISTING_SECONDS):
            await until(probe)
    except TimeoutError:
        raise SandboxError(
            f"{complaint}: start it, correct the variable, or unset it to have one embedded"
        ) from None
