"""The crew's client cancels its wait for a frame when it has something else to do, and drops what came.

Breaks promise 3: a frame that comes in the moment of the cancellation is lost. The next one moves the client's seq on,
so that no resume ever asks for it.
"""

import asyncio
import random

from crew_client import transport


def plant() -> None:
    """Put the bug back."""
    receive = transport._WebSocket.recv
    rng = random.Random(0)

    async def receive_or_look_up(self: transport._WebSocket) -> str | bytes:
        while True:
            receiving = asyncio.create_task(receive(self))
            look_up = asyncio.create_task(asyncio.sleep(rng.uniform(0.005, 0.1)))
            try:
                await asyncio.wait({receiving, look_up}, return_when=asyncio.FIRST_COMPLETED)
                if not look_up.done():
                    return receiving.result()
            finally:
                receiving.cancel()
                look_up.cancel()
                await asyncio.gather(receiving, look_up, return_exceptions=True)

    transport._WebSocket.recv = receive_or_look_up  # type: ignore[method-assign]
