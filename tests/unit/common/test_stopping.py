"""A service ends when it is asked to, whatever it is waiting for."""

import os
import signal
import subprocess
import sys
import time

PROGRAM = """
import asyncio, sys
from splitcart_common import service
from splitcart_common.retry import until_there
from splitcart_common.settings import Settings

service.LONGEST_STOP_SECONDS = 0.2

async def away():
    print("waiting", flush=True)
    raise ConnectionError("nobody there")

async def main(health, stop):
    if sys.argv[1] == "waits":
        await until_there("kafka", away, unavailable=(ConnectionError,), health=health)
    print("working", flush=True)
    await stop.wait()
    print("ended in order", flush=True)

sys.exit(service.run_service("test", Settings(), main))
"""


def ended(how: str, sign: str) -> tuple[int, str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, how], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        said = ""
        until = time.monotonic() + 20
        while sign not in said and time.monotonic() < until:
            said += process.stdout.readline()
        os.kill(process.pid, signal.SIGTERM)
        rest, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    return process.returncode, said + rest


def test_a_service_at_work_ends_by_itself():
    code, said = ended("works", "working")
    assert code == 0
    assert "ended in order" in said


def test_a_service_that_waits_for_its_broker_ends_all_the_same():
    code, said = ended("waits", "waiting")
    assert code == 0
    assert "working" not in said
