"""Programs as processes of their own, without the seconds that their imports take: to be killed, or ended."""

import asyncio
import os
import runpy
import sys
from collections.abc import Mapping
from multiprocessing import get_context
from multiprocessing.process import BaseProcess

_FORKS = get_context("forkserver")
_FORKS.set_forkserver_preload(["splitcart_grouping.app", "splitcart_ingest.app", "tests.support.forking"])


def start_program(environment: Mapping[str, str], module: str, *words: str) -> BaseProcess:
    """``python -m module words``, its errors told to nobody."""
    process = _FORKS.Process(target=_run, args=(dict(environment), module, words))
    process.start()
    return process


async def killed(process: BaseProcess) -> None:
    """kill -9, and it is gone."""
    process.kill()
    await asyncio.to_thread(process.join)


async def exit_code(process: BaseProcess) -> int | None:
    """How it ended, once it has."""
    await asyncio.to_thread(process.join)
    return process.exitcode


async def ended(process: BaseProcess) -> None:
    """SIGTERM, and it ends as it should."""
    process.terminate()
    assert await exit_code(process) == 0


def _run(environment: dict[str, str], module: str, words: tuple[str, ...]) -> None:
    os.environ.update(environment)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__")
