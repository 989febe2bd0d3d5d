"""Python's garbage collector, set for a process that keeps a whole city in memory and makes many short-lived values.

Reference counts free nearly everything here; the collector is for cycles. Left alone it walks through all orders and
crews in memory again and again while batches of new values are made, which costs more than judging the grabs.
"""

import gc

YOUNG = 50_000
"""How many new objects make a look at the young ones worth it; asyncio's cycles stay small enough meanwhile."""


def settle() -> None:
    """Take what is in memory now for permanent, and look less often at what comes."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 50)
