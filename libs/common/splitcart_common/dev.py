"""What `--dev` means: the stack that `splitcart up` runs on the data folder, as its state file there says."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit


class NoStackError(RuntimeError):
    """No stack runs on the data folder; the text says what is there instead, and how to start one."""


@dataclass(frozen=True, slots=True)
class LocalStack:
    """Where its parts are. `clock` is the setting of that name."""

    kafka: str
    postgres: str
    simulator: str | None
    clock: str

    def postgres_as(self, service: str) -> str:
        """The server's address for a service's own role."""
        parts = urlsplit(self.postgres)
        return urlunsplit(parts._replace(netloc=f"splitcart_{service}@{parts.netloc.rpartition('@')[2]}"))


def local_stack() -> LocalStack:
    """The stack of SPLITCART_HOME, else of `.splitcart` here; NoStackError where none is up."""
    home = Path(os.environ.get("SPLITCART_HOME") or ".splitcart").expanduser().absolute()
    try:
        state = json.loads((home / "state.json").read_text())
        phase, addresses = state["phase"], state["addresses"]
        if phase != "up":
            raise NoStackError(f"the sandbox of {home} is {phase}: start it with `splitcart up`")
        return LocalStack(addresses["kafka"], addresses["postgres"], addresses.get("simulator"), state["clock"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoStackError(f"no sandbox runs on {home} ({error!r}): start one with `splitcart up`") from None
