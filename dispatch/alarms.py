"""Step 9, its last word: somebody has seen an alarm and says what he makes of it.

The first row of an alarm acknowledges it, on every screen; whoever has more to say adds to it. What was said may hold
names and numbers, so the event tells only that it was said, and screens ask for the words.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from dispatch.clocks import AlarmKind, ClockName
from dispatch.errors import Impossible
from dispatch.events import Event
from dispatch.problems import instant
from dispatch.store.sql import load

if TYPE_CHECKING:
    from dispatch.store import Tx

WALLBOARD = load("wallboard")


class AcknowledgeIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Which alarm of the order was seen, by its clock and deadline, and what is to be said about it."""

    clock: ClockName
    deadline: datetime
    kind: AlarmKind | None = "breached"
    note: Annotated[str, Meta(max_length=1000)] | None = None

    @property
    def alarm(self) -> AlarmKind:
        """The kind of alarm: a breach where none is named."""
        return self.kind or "breached"


async def acknowledge(tx: "Tx", order_id: str, seen: AcknowledgeIn, *, note_id: str, actor: str) -> None:
    """Write down that an alarm was seen; to say nothing about one that was seen already changes nothing.

    Raises `NotFound` for an order that does not exist, `Impossible` for an alarm that it never had.
    """
    order = await tx.orders.lock_one(order_id)
    alarm = (tx.city_id, order_id, seen.clock, instant(seen.deadline, "/deadline"), seen.alarm)
    row = await tx.conn.fetchrow(WALLBOARD["has_alarm"], *alarm)
    if row is None:
        raise Impossible(f"order {order_id} had no alarm {seen.alarm} of {seen.clock} for that deadline")
    note = (seen.note or "").strip() or None
    if row["acknowledged"] and note is None:
        return
    await tx.conn.execute(WALLBOARD["insert_note"], *alarm, note_id, tx.now, actor, note)
    tx.record(
        Event.of_order(
            "alarm.acknowledged", order, actor=actor, clock=seen.clock, deadline=seen.deadline, alarm=seen.alarm
        )
    )
