"""Waiting for what must come to hold, with a deadline."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic


async def until(holds: Callable[[], Awaitable[bool]], *, within_s: float = 10.0) -> None:
    """Return as soon as it holds; fail where it does not in time."""
    give_up_at = monotonic() + within_s
    while not await holds():
        assert monotonic() < give_up_at, "did not come to hold in time"
        await asyncio.sleep(0.03)
