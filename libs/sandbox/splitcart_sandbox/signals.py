"""A command that runs until it is told to stop."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable


def run_until_signal(main: Callable[[], Awaitable[None]]) -> None:
    """Run `main` until it ends, or until Ctrl-C, SIGTERM or SIGHUP, which cancel it; it then stops what it runs.

    A second signal kills this process: its children are told by the kernel, or swept by the next start.
    """

    async def guarded() -> None:
        task = asyncio.ensure_future(main())
        loop = asyncio.get_running_loop()
        caught = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

        def stop() -> None:
            for number in caught:
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_DFL)
            task.cancel()

        for number in caught:
            loop.add_signal_handler(number, stop)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(guarded())
