"""`splitcart find` against a gateway in its own process."""

from collections.abc import AsyncIterator
from subprocess import CompletedProcess, run
from sys import executable

import orjson
import pytest

from splitcart_sandbox.database import service_dsn
from tests.support.gateway import gateway_process


@pytest.fixture(scope="module")
async def url(catalogue: str) -> AsyncIterator[str]:
    async with gateway_process(service_dsn(catalogue, "gateway")) as address:
        yield address


def find(*words: str, url: str) -> CompletedProcess[str]:
    command = [executable, "-c", "from splitcart_cli.__main__ import main; main()", "find", *words, "--url", url]
    return run(command, capture_output=True, text=True, check=False, timeout=60)


def test_prices_as_a_table_and_as_json(url: str) -> None:
    table = find("farmdale milk", "--near", "3000", url=url)
    assert table.returncode == 0, table.stderr
    assert "$2.99" in table.stdout
    assert table.stdout.index("$2.99") < table.stdout.index("$3.29")
    answer = orjson.loads(find("farmdale milk", "--near", "3000", "--json", url=url).stdout)
    assert [price["price_cents"] for price in answer["items"][0]["prices"]] == [299, 310, 310, 329]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("milk", "--near", "1999"), "There is no postcode 1999."),
        (("zzzzqqqq", "--near", "3000"), "Nothing found for 'zzzzqqqq'."),
    ],
)
def test_what_cannot_be_answered_is_said_in_a_line(url: str, words: tuple[str, ...], said: str) -> None:
    refused = find(*words, url=url)
    assert refused.returncode == 1
    assert refused.stderr.startswith(said)
    assert refused.stderr.count("\n") == 1


def test_no_gateway_there() -> None:
    for address in ("http://127.0.0.1:1", "nonsense"):
        refused = find("milk", "--near", "3000", url=address)
        assert refused.returncode == 1
        assert "gateway" in refused.stderr
        assert "Traceback" not in refused.stderr
