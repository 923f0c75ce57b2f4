import socket

import pytest

from splitcart_sandbox.errors import SandboxError
from splitcart_sandbox.ports import RANGE, choose, is_free
from splitcart_sandbox.supervisor import Backoff


@pytest.fixture
def taken() -> int:  # type: ignore[misc]
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_fixed_port_that_is_taken_is_an_error(taken: int) -> None:
    assert not is_free(taken)
    with pytest.raises(SandboxError, match=rf"port {taken}, asked for kafka, is taken"):
        choose("kafka", fixed=taken)


def test_a_remembered_port_is_kept_while_it_is_free(taken: int) -> None:
    port = choose("kafka")
    assert port in RANGE
    assert choose("kafka", remembered=port) == port
    assert choose("kafka", remembered=taken) != taken


def test_two_of_one_sandbox_never_get_the_same_port() -> None:
    port = choose("a")
    assert choose("b", remembered=port, taken={port}) != port
    with pytest.raises(SandboxError, match="is taken"):
        choose("b", fixed=port, taken={port})


def test_back_off_doubles_to_half_a_minute() -> None:
    delays = [Backoff().delay(failures) for failures in range(1, 10)]
    assert delays == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert Backoff().delay(10_000) == 30
