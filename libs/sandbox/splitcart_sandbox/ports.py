"""Ports on the loopback address: free ones, remembered ones, fixed ones."""

import random
import socket
from collections.abc import Container
from typing import Final

from splitcart_sandbox.errors import SandboxError

HOST: Final = "127.0.0.1"
RANGE: Final = range(20_000, 32_000)
"""Below the range from which systems take the ports of outgoing connections (Linux: from 32768): a client that
retries while its server restarts cannot be given the server's own port."""


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Connections of a server that has just stopped do not count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def choose(name: str, *, fixed: int = 0, remembered: int = 0, taken: Container[int] = ()) -> int:
    """The port for `name`: the fixed one, else the remembered one if it is still free, else any free one.

    SandboxError where the fixed port is taken.
    """
    if fixed:
        if fixed in taken or not is_free(fixed):
            raise SandboxError(
                f"port {fixed}, asked for {name}, is taken by another program: "
                "stop that program, or choose another port (0: any free one)"
            )
        return fixed
    if remembered and remembered not in taken and is_free(remembered):
        return remembered
    for _ in range(1000):
        port = random.choice(RANGE)  # noqa: S311 - not a secret
        if port not in taken and is_free(port):
            return port
    raise SandboxError(f"no free port between {RANGE.start} and {RANGE.stop} for {name}")
