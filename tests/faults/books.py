"""Reads what the installation holds into the history: its logs, what they owe each client, and rows under keys.

The log of a city is folded as it grows, with the product's own mirror, into the frames that each client must be told;
whether they were is for `tests.faults.check` to say.
"""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from dispatch.cities import load_city
from dispatch.clocks import base_of
from dispatch.config import Settings
from dispatch.deliveries import crew_delivery, deliveries
from dispatch.mirror import Mirror
from dispatch.relay import event_frame, logged
from dispatch.store import Database
from dispatch.store.tx import LOG
from tests.faults.history import ClockAt, Due, Event, Head, History, Kept, digest

PAGE = 2_000
KEPT = {
    "grab": "SELECT crew_id, message_id, order_id, cycle, reason FROM crew_grab WHERE city_id = $1",
    "command": """SELECT crew_id, message_id, order_id, 0,
                         coalesce('error ' || (answer ->> 'error'), answer ->> 'state')
                  FROM crew_command WHERE city_id = $1""",
    "override": "SELECT actor, reason, order_id, version, action FROM order_override WHERE city_id = $1",
    "report": "SELECT channel, body ->> 'description', order_id, 0, report_id FROM report WHERE city_id = $1",
    "rating": "SELECT actor, comment, order_id, stars, resolved::text FROM rating WHERE city_id = $1",
}
"""Of each table with keys: whose, which key, which order, a number, the result."""


LATE = """SELECT clock_timestamp(), count(*) FROM order_timer
          WHERE city_id = $1 AND alarm_at < now() - interval '1.5 s'"""


class _Clock(Struct, frozen=True):
    state: str
    due_at: datetime
    stopped_at: datetime | None = None
    paused_at: datetime | None = None


class _Order(Struct, frozen=True):
    version: int
    state: str
    crew: str | None
    claimed_by: str | None
    clocks: dict[str, _Clock]


class _Lost(Struct, frozen=True):
    crew: str


class _Data(Struct, frozen=True):
    """Of an event's data, what the checker compares."""

    order: _Order | None = None
    cycle: int = 0
    lost: _Lost | None = None
    clock: str | None = None
    deadline: datetime | None = None


_decode = msgspec.json.Decoder(_Data).decode


class Books:
    """One city's log, read so far; `last_due` says up to where each client must have heard."""

    def __init__(self, db: Database, city_id: str, history: History) -> None:
        self.db = db
        self.city_id = city_id
        self.history = history
        self.last_due: dict[str, int] = {}
        self.mirror: Mirror | None = None
        self.claims = self.alarms = 0
        self.at: datetime | None = None
        self.everybody = (f"console@{city_id}", f"pager@{city_id}")

    async def read_on(self) -> int:
        """Read what has been added to the log; return where it ends."""
        while True:
            async with self.db.connection() as conn:
                if self.mirror is None:
                    city = await load_city(conn, self.city_id, Settings())
                    head = await conn.fetchrow(LOG["head"], self.city_id)
                    self.mirror = Mirror(city, name=self.city_id, epoch=head["epoch"], seq=0)
                rows = await conn.fetch(LOG["read_with_particulars"], self.city_id, self.mirror.seq, PAGE)
            for row in rows:
                self._take(self.mirror, row)
            if len(rows) < PAGE:
                return self.mirror.seq

    def _take(self, mirror: Mirror, row: Any) -> None:
        event = logged(row)
        mirror.seq = event.seq - 1  # a gap is for the checker to find
        data = mirror.fold(event, row["description"], row["contact"], row["name"])
        brief = _decode(event.data) if event.order is not None else _Data()
        order = brief.order
        self.history.write(
            Event(
                city=self.city_id,
                seq=event.seq,
                at=event.at.timestamp(),
                kind=event.kind,
                actor=event.actor,
                order=event.order,
                cycle=brief.cycle,
                version=order.version if order else 0,
                state=order.state if order else None,
                holder=order.crew if order else None,
                by=order.claimed_by if order else None,
                lost=brief.lost.crew if brief.lost else None,
                clock=brief.clock,
                deadline=brief.deadline.timestamp() if brief.deadline else None,
                clocks=tuple(
                    ClockAt(base_of(name), clock.due_at.timestamp(), not clock.stopped_at and not clock.paused_at)
                    for name, clock in (order.clocks.items() if order else ())
                ),
            )
        )
        self.claims += event.kind == "order.claimed"
        self.alarms += event.kind == "clock.breached"
        console, pager = self.everybody
        self._owe(console, event.seq, digest(event_frame(event)))
        self._owe(pager, event.seq, digest(f"{event.kind}/{event.order}"))
        if (own := crew_delivery(event)) is not None:
            self._owe(own.crew, event.seq, digest(own.frame))
        if data is None or event.order is None or mirror.last_order is None:
            return
        for delivery in deliveries(event.seq, event.order, data, mirror.last_order):
            if f'"seq":{event.seq}' in delivery.head[:60]:  # a verdict has no place in the log
                self._owe(delivery.crew, event.seq, digest(delivery.frame))

    def _owe(self, client: str, seq: int, digested: int) -> None:
        self.last_due[client] = seq
        self.history.write(Due(self.city_id, client, seq, digested))

    async def late_alarms(self) -> int:
        """Return how many deadlines have passed a while ago and wait for their alarms still."""
        async with self.db.connection() as conn:
            row = await conn.fetchrow(LATE, self.city_id)
        self.at, late = row
        return int(late)

    async def close(self) -> None:
        """Write down what is kept under keys, and up to where clients had the time to hear the log."""
        assert self.mirror is not None
        heard = self.mirror.seq
        if self.at is None:
            await self.late_alarms()
        assert self.at is not None
        async with self.db.connection() as conn:
            await self.read_on()
            for table, sql in KEPT.items():
                for client, key, order, number, result in await conn.fetch(sql, self.city_id):
                    self.history.write(Kept(self.city_id, table, client, key or "", order, number, result))
        self.history.write(Head(self.city_id, self.mirror.epoch, heard, self.at.timestamp()))
