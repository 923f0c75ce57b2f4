"""What a service answers on its health port."""

import socket
from collections.abc import Iterator

import httpx
import pytest

from splitcart_common.telemetry import MESSAGES, Health, serve_health


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def url(health: Health) -> Iterator[str]:
    server = serve_health(health, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_what_is_waited_for_is_the_text_of_readyz(health, url):
    answer = httpx.get(f"{url}/readyz")
    assert (answer.status_code, answer.text) == (503, "start: the service is starting\n")
    health.wait_for("kafka", "KafkaConnectionError: 127.0.0.1:9092")
    health.wait_for("postgres", "first reason")
    health.wait_for("postgres", "newest reason")
    health.has("start")
    answer = httpx.get(f"{url}/readyz")
    assert answer.text == "kafka: KafkaConnectionError: 127.0.0.1:9092\npostgres: newest reason\n"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    health.has("postgres")
    health.has("kafka")
    health.has("never waited for")
    answer = httpx.get(f"{url}/readyz")
    assert (answer.status_code, answer.text) == (200, "ready\n")


def test_what_is_worth_knowing_is_told_beside(health, url):
    health.note("identity", "stands by")
    health.note("identity", "this process decides")
    assert httpx.get(f"{url}/readyz").text == ("start: the service is starting\nidentity: this process decides\n")
    health.has("start")
    answer = httpx.get(f"{url}/readyz")
    assert (answer.status_code, answer.text) == (200, "ready\nidentity: this process decides\n")


def test_a_process_lives_whether_or_not_it_is_ready(url):
    assert httpx.get(f"{url}/healthz").text == "alive\n"


def test_metrics_are_there(url):
    MESSAGES.labels("tests", "a-topic", "folded").inc(3)
    answer = httpx.get(f"{url}/metrics")
    assert 'splitcart_messages_total{outcome="folded",service="tests",topic="a-topic"} 3.0' in answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")


def test_other_paths_say_what_there_is(url):
    answer = httpx.get(f"{url}/")
    assert (answer.status_code, answer.text) == (404, "there are /healthz, /readyz and /metrics\n")


def test_what_is_missing_is_a_copy(health):
    health.missing.clear()
    assert health.missing


def test_a_client_that_says_nothing_does_not_hold_up_the_probes(url):
    port = int(url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)):
        assert httpx.get(f"{url}/healthz", timeout=2).text == "alive\n"
