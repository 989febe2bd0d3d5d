"""An alarm is kept from coming twice by the lease of the clock-keeper alone, and by no unique row.

Breaks the promise of the clocks: each deadline alarms at most once of each kind. Where an order comes back to a
deadline that it has had (a dispatcher changes his mind, or undoes what he did), it alarms again.
"""

from collections.abc import Sequence
from typing import Any

from dispatch.clocks import Alarm
from dispatch.store.memory.orders import MemoryOrders
from dispatch.store.orders import OrderRows


def plant() -> None:
    """Put the bug back."""

    async def record_alarms(self: Any, order_id: str, alarms: Sequence[Alarm]) -> list[Alarm]:
        return list(alarms)

    OrderRows.record_alarms = record_alarms  # type: ignore[method-assign]
    MemoryOrders.record_alarms = record_alarms  # type: ignore[method-assign]
