"""Step 7, first half: the log is read and told. One reader per engine and city, from a position, in order.

A hint (this engine's own commit, a notification, the bus) only says "look"; every second the reader looks anyway.
What it reads it folds into the mirror, and the frames that follow from it go to the hub. Sequence order is commit
order (the city's counter row), so nothing that it has passed can appear later.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw

from dispatch.cities import load_city
from dispatch.crews import Crew
from dispatch.deliveries import crew_delivery, deliveries
from dispatch.errors import Unavailable
from dispatch.events import Logged
from dispatch.hub import Histories, Hub
from dispatch.logs import logger
from dispatch.mirror import Mirror, OrderData, Own
from dispatch.store import Database
from dispatch.store.crews import CREWS
from dispatch.store.orders import ORDERS
from dispatch.store.rows import crew_of, order_of
from dispatch.store.tx import LOG

if TYPE_CHECKING:
    from dispatch.config import Settings
    from geo import TravelTimes

SHIFTS = frozenset({"crew.shift_started", "crew.shift_ended"})
PAGE = 500
TAIL = 5_000
"""How many events of the past an engine reads at its start, so that crews can resume across its restart."""

log = logger("relay")


def logged(row: Any) -> Logged:
    """Return the event that a row of the log holds."""
    return Logged(
        seq=row["seq"],
        at=row["at"],
        kind=row["kind"],
        actor=row["actor"],
        data=Raw(row["data"].encode()),
        order=row["order_id"],
        crew=row["crew_id"],
    )


async def load_mirror(
    db: Database, city_id: str, settings: "Settings", travel: "TravelTimes | None" = None
) -> tuple[Mirror, Histories]:
    """Return a city's mirror and its crews' histories, both from one snapshot of the database."""
    async with db.snapshot() as conn:
        city = await load_city(conn, city_id, settings, travel)
        head = await conn.fetchrow(LOG["head"], city_id)
        mirror = Mirror(city, name=head["name"], epoch=head["epoch"], seq=head["last_seq"])
        orders = await conn.fetch(ORDERS["open_orders"], city_id)
        mirror.load(
            [crew_of(row) for row in await conn.fetch(CREWS["find_crews"], city_id, None)],
            [(order_of(row), row["description"], row["contact"]) for row in orders],
        )
        first = max(mirror.seq - TAIL, 0)
        tail = await conn.fetch(LOG["read_with_particulars"], city_id, first, TAIL)
        touched = {row["order_id"] for row in tail if row["order_id"]} | set(mirror.orders)
        rounds = await conn.fetch(ORDERS["rounds_of_orders"], city_id, list(touched))
    for row in rounds:
        mirror.load_offered(
            row["order_id"], row["cycle"], zip(row["crews"], row["eta_s"], row["distance_m"], strict=True), at=row["at"]
        )
    return mirror, _replay(mirror, first, tail, rounds)


def _replay(mirror: Mirror, first: int, tail: list[Any], rounds: list[Any]) -> Histories:
    """Return what the crews were told by the last events: the tail is folded into a mirror of its own.

    That mirror begins with the crews' shifts as they were, and without knowing who had been offered the orders of that
    time; the rounds say it.
    """
    histories = Histories(first)
    past = Mirror(mirror.city, name=mirror.name, epoch=mirror.epoch, seq=first)
    past.crews = _on_shift_before(mirror.crews, tail)
    circles: dict[tuple[str, int], list[Any]] = {}
    for row in rounds:
        circles.setdefault((row["order_id"], row["cycle"]), []).append(row)
    known: set[str] = set()
    for row in tail:
        event = logged(row)
        data = past.fold(event, row["description"], row["contact"], row["name"])
        if data is None or event.order is None or past.last_order is None:
            if (frame := crew_delivery(event)) is not None:
                histories.keep(frame)
            continue
        live = past.last_order
        if event.order not in known:
            known.add(event.order)
            if data.closed is not None:
                closed = circles.get((event.order, data.closed.cycle), [])
                live.closed_to = tuple(
                    {
                        crew_id
                        for circle in closed
                        for crew_id in circle["crews"]
                        if (crew := past.crews.get(crew_id)) is not None and crew.hears(circle["at"])
                    }
                )
            for earlier in circles.get((event.order, live.cycle), []):
                if earlier["at"] < tail[0]["at"]:
                    past.load_offered(
                        event.order,
                        live.cycle,
                        zip(earlier["crews"], earlier["eta_s"], earlier["distance_m"], strict=True),
                        at=earlier["at"],
                    )
        for delivery in deliveries(event.seq, event.order, data, live):
            histories.keep(delivery)
    return histories


def _on_shift_before(crews: Mapping[str, Crew], tail: Iterable[Any]) -> dict[str, Crew]:
    """Return the crews with their shifts as they were before these events of the log."""
    before = dict(crews)
    known: set[str] = set()
    for row in tail:
        if row["kind"] in SHIFTS and row["crew_id"] in before and row["crew_id"] not in known:
            known.add(row["crew_id"])
            was_on = row["kind"] == "crew.shift_ended"
            before[row["crew_id"]] = msgspec.structs.replace(before[row["crew_id"]], on_shift=was_on, shift_since=None)
    return before


class Relay:
    """Reads one city's log for one engine."""

    def __init__(
        self,
        db: Database,
        mirror: Mirror,
        hub: Hub,
        *,
        on_zones: Callable[[], Awaitable[None]],
        on_event: Callable[[Logged, OrderData | None], None] = lambda event, data: None,
    ) -> None:
        self.db = db
        self.mirror = mirror
        self.hub = hub
        self._on_zones = on_zones
        self._on_event = on_event
        self._reading = asyncio.Lock()
        self._next_look: asyncio.Task[int] | None = None
        self._zones_due = False

    @property
    def behind(self) -> bool:
        """Whether something that the log told is still to be read: a new map, when the database was away."""
        return self._zones_due

    async def catch_up(self) -> int:
        """Read to the end of the log and tell everybody; return how many events that were.

        Whoever asks while others wait for the same shares their look, which begins after he asked: when an engine has
        died, all its crews come to another at once, and each must see what is committed by then.

        Raises `Unavailable` where the database does not answer; the position stays, so the next look goes on there.
        """
        if self._next_look is None or self._next_look.done():
            self._next_look = asyncio.create_task(self._look(), name="look")
            self._next_look.add_done_callback(_heed)
        return await asyncio.shield(self._next_look)

    async def _look(self) -> int:
        told = 0
        async with self._reading:
            self._next_look = None
            while True:
                if self._zones_due:
                    await self._read_zones()
                async with self.db.connection() as conn:
                    rows = await conn.fetch(LOG["read_with_particulars"], self.mirror.city.id, self.mirror.seq, PAGE)
                for row in rows:
                    if row["seq"] > self.mirror.seq:  # what is this engine's own may have been told meanwhile
                        await self._tell(row)
                told += len(rows)
                if len(rows) < PAGE and not self._zones_due:
                    return told

    def hear(self, own: Sequence[Own]) -> None:
        """Tell this engine's own events at once where they come next; else they are read with the others."""
        mirror = self.mirror
        for one in own:
            if one.event.seq != mirror.seq + 1 or self._zones_due or one.order.id not in mirror.orders:
                return
            mirror.fold_own(one)
            self._deliver(one.event, one.data)

    async def _read_zones(self) -> None:
        """Let the new map be read; raises `Unavailable`, and then it is still to be read."""
        try:
            await self._on_zones()
        except Unavailable:
            raise
        except Exception:
            log.exception("the new map cannot be read; the old one stays in force here", city=self.mirror.city.id)
        self._zones_due = False

    async def _tell(self, row: Any) -> None:
        event = logged(row)
        data = self.mirror.fold(event, row["description"], row["contact"], row["name"])
        if event.kind == "zones.replaced":
            self._zones_due = True  # before the next page; where that fails, before the next look
        if self._deliver(event, data) > 100:
            await asyncio.sleep(0)

    def _deliver(self, event: Logged, data: OrderData | None) -> int:
        """Send what follows from the event that was folded last; return to how many crews."""
        mirror, city = self.mirror, self.mirror.city.id
        sent = 0
        if data is not None and event.order is not None and mirror.last_order is not None:
            live = mirror.last_order
            for delivery in deliveries(event.seq, event.order, data, live):
                self.hub.deliver(city, delivery)
                sent += 1
            if self.hub.consoles[city]:
                self.hub.tell_consoles(city, event_frame(event), seq=event.seq, live=live, left=data.left)
        else:
            if (frame := crew_delivery(event)) is not None:
                self.hub.deliver(city, frame)
            if self.hub.consoles[city]:
                self.hub.tell_consoles(city, event_frame(event), seq=event.seq)
        self._on_event(event, data)
        return sent


def _heed(look: "asyncio.Task[int]") -> None:
    """Take note of how a look ended, for the case that nobody waits for it any more."""
    if not look.cancelled():
        look.exception()


def event_row(event: Logged) -> dict[str, Any]:
    """Return an event as the contract's `/events` shows it."""
    row: dict[str, Any] = {"seq": event.seq, "at": event.at, "kind": event.kind}
    if event.order is not None:
        row["order"] = event.order
    if event.crew is not None:
        row["crew"] = event.crew
    return {**row, "actor": event.actor, "data": event.data}


def event_frame(event: Logged) -> str:
    """Return an event as the frame that consoles get."""
    return msgspec.json.encode({"type": "event", **event_row(event)}).decode()
