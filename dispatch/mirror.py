"""What an engine knows of a city: a copy in memory, built from one snapshot and kept true by the event log.

Property: a mirror that has folded events up to `seq` equals one loaded at `seq`. It is what offers are made from,
what sockets are welcomed with, and what lets the engine refuse a grab of an order that is gone without asking the
database. It never decides anything: the database does.

Positions are not in the log; they come beside it and are never part of the property.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from crew_client.protocol import Contact, Location, PublicOrder
from dispatch.city import City
from dispatch.crews import Crew
from dispatch.events import Logged
from dispatch.orders import DONE, WITH_CREW, Order

NEVER = datetime.max.replace(tzinfo=UTC)
_GONE = frozenset(state.value for state in DONE)
_HELD = frozenset(state.value for state in WITH_CREW)
_KEPT = _HELD | {"suspended"}
"""The states in which an order stands on its crew's list."""


class Offered(Struct, frozen=True):
    """The member `offered` of an event's data."""

    mode: str
    closes_at: datetime
    window_s: float
    ring: int
    zones: tuple[str, ...] | None
    crews: tuple[tuple[str, float, float], ...]


class Closed(Struct, frozen=True):
    """The member `closed`."""

    reason: str
    cycle: int


class Lost(Struct, frozen=True):
    """The members `lost` and `given`."""

    crew: str
    by: str
    reason: str | None = None


class Left(Struct, frozen=True):
    """The member `left`: where the order was."""

    zone: str | None
    location: Location | None


class OrderData(Struct, frozen=True):
    """What the data of an order's event may hold; see `dispatch.events`."""

    order: Raw
    cycle: int
    offered: Offered | None = None
    closed: Closed | None = None
    bids: tuple[tuple[str, str, str], ...] = ()
    lost: Lost | None = None
    given: Lost | None = None
    left: Left | None = None


class CrewData(Struct, frozen=True):
    """What the data of `crew.added` and `crew.changed` holds."""

    skills: tuple[str, ...] = ()
    home_zone: str | None = None
    capacity: int = 1
    zones_lent: tuple[str, ...] = ()
    revision: int = 0


class Own(Struct, frozen=True):
    """An event of this engine's own, as it is in the log by now, with what others must decode: `data` and `order`."""

    event: Logged
    data: OrderData
    order: PublicOrder


class LiveOrder(Struct):
    """An open order in memory. `text` is its public JSON; `offered` maps crews to predicted arrival and distance.

    `offered_now` has those to whom the last event offered it, `closed_to` those to whom the offer that it ended was
    open; `changed` says whether that event changed the order itself, and not only the circle to which it is open.
    """

    order: PublicOrder
    text: str
    cycle: int
    description: str | None
    contact: Contact | None
    mode: str = "sealed"
    closes_at: datetime = NEVER
    window_s: float = 0.0
    zones: tuple[str, ...] | None = None
    offered: dict[str, tuple[float, float]] = field(default_factory=dict)
    offered_now: tuple[str, ...] = ()
    closed_to: tuple[str, ...] = ()
    changed: bool = True


order_data = msgspec.json.Decoder(OrderData)
_crew_data = msgspec.json.Decoder(CrewData)
_public = msgspec.json.Decoder(PublicOrder)
_contact = msgspec.json.Decoder(Contact)


class Mirror:
    """One city in memory; see the module."""

    def __init__(self, city: City, *, name: str, epoch: str, seq: int) -> None:
        self.city = city
        self.name = name
        self.epoch = epoch
        self.seq = seq
        self.crews: dict[str, Crew] = {}
        self.orders: dict[str, LiveOrder] = {}
        self.last_order: LiveOrder | None = None
        self.held_by: defaultdict[str, set[str]] = defaultdict(set)
        self._loads: defaultdict[str, int] = defaultdict(int)
        self.open_to: defaultdict[str, set[str]] = defaultdict(set)
        self._open_in: defaultdict[str | None, set[str]] = defaultdict(set)

    def load(self, crews: Iterable[Crew], orders: Iterable[tuple[Order, str | None, str | None]]) -> None:
        """Fill an empty mirror from one snapshot; `orders` come with description and contact (JSON)."""
        self.crews = {crew.id: crew for crew in crews}
        for order, description, contact in orders:
            public = order.public()
            live = LiveOrder(
                order=public,
                text=msgspec.json.encode(public).decode(),
                cycle=order.cycle,
                description=description,
                contact=_contact.decode(contact) if contact else None,
            )
            if order.offer:
                live.mode, live.closes_at, live.window_s = order.offer.mode, order.offer.closes_at, order.offer.window_s
                live.zones = order.offer.zones
            self.orders[order.id] = live
            self._index(live, 1)
            self._index_open(live)

    def load_offered(
        self, order_id: str, cycle: int, crews: Iterable[tuple[str, float, float]], *, at: datetime
    ) -> None:
        """Add those to whom an open order was offered at a moment, as the snapshot has them."""
        live = self.orders.get(order_id)
        if live is not None and live.cycle == cycle and live.order.state == "offered":
            self._offer(live, crews, at)

    def fold(
        self, event: Logged, description: str | None = None, contact: str | None = None, name: str | None = None
    ) -> OrderData | None:
        """Move on by one event; return its data where it is an order's. `last_order` is the order that it touched.

        What people are called is not in the log: description and contact of the order, or name of the crew.
        """
        assert event.seq == self.seq + 1, f"event {event.seq} after {self.seq}: the log has a gap"
        self.seq = event.seq
        if event.order is not None:
            data = order_data.decode(event.data)
            self._fold_order(event.order, data, _public.decode(data.order), event.at, description, contact)
            return data
        if event.crew is not None:
            self._fold_crew(event, name)
        return None

    def fold_own(self, own: Own) -> None:
        """Move on by one event of an order that is known here, without decoding what this engine has just encoded."""
        assert own.event.seq == self.seq + 1, f"event {own.event.seq} after {self.seq}: not the next"
        self.seq = own.event.seq
        self._fold_order(own.order.id, own.data, own.order, own.event.at, None, None)

    def _fold_order(
        self,
        order_id: str,
        data: OrderData,
        public: PublicOrder,
        at: datetime,
        description: str | None,
        contact: str | None,
    ) -> None:
        text = bytes(data.order).decode()
        live = self.orders.get(order_id)
        if live is None:
            live = LiveOrder(
                order=public,
                text=text,
                cycle=data.cycle,
                description=description,
                contact=_contact.decode(contact) if contact else None,
            )
            self.orders[order_id] = live
        else:
            self._index(live, -1)
            self._open_in_zones(live, set.discard)
            live.changed = live.order.version != public.version
            live.order, live.text = public, text
        live.closed_to = live.offered_now = ()
        if data.closed is not None or data.cycle != live.cycle or public.state != "offered":
            live.closed_to = tuple(live.offered)
            live.offered = {}
            for crew in live.closed_to:
                self.open_to[crew].discard(order_id)
        if data.offered is not None:
            live.mode, live.closes_at = data.offered.mode, data.offered.closes_at
            live.window_s = data.offered.window_s
            live.zones = data.offered.zones
            live.offered_now = self._offer(live, data.offered.crews, at)
        live.cycle = data.cycle
        self.last_order = live
        self._index(live, 1)
        self._index_open(live)
        if public.state in _GONE:
            del self.orders[order_id]

    def _offer(self, live: LiveOrder, crews: Iterable[tuple[str, float, float]], at: datetime) -> tuple[str, ...]:
        """Open an order to crews that are still on the shift in which it was offered to them; return those."""
        heard = []
        for crew_id, eta_s, distance_m in crews:
            crew = self.crews.get(crew_id)
            if crew is not None and crew.hears(at):
                live.offered[crew_id] = (eta_s, distance_m)
                self.open_to[crew_id].add(live.order.id)
                heard.append(crew_id)
        return tuple(heard)

    def _withdraw(self, crew_id: str) -> None:
        """Close to a crew whatever is open to it: its shift ends, or another begins."""
        for order_id in self.open_to.pop(crew_id, ()):
            self.orders[order_id].offered.pop(crew_id, None)

    def _index(self, live: LiveOrder, sign: int) -> None:
        """Keep `held_by` and the crews' loads in step with an order that enters (1) or leaves (-1)."""
        crew, state = live.order.crew, live.order.state
        if crew is None or state not in _KEPT:
            return
        if sign > 0:
            self.held_by[crew].add(live.order.id)
        else:
            self.held_by[crew].discard(live.order.id)
        if state in _HELD:
            self._loads[crew] += sign
        if crew in self.crews:
            self.crews[crew] = msgspec.structs.replace(self.crews[crew], load=self._loads[crew])

    def _index_open(self, live: LiveOrder) -> None:
        """Keep where an order is open, so that a crew's orders are found without a look at all of them."""
        if live.order.state == "offered":
            self._open_in_zones(live, set.add)

    def _open_in_zones(self, live: LiveOrder, change: Callable[[set[str], str], None]) -> None:
        for zone in live.zones if live.zones is not None else (None,):
            change(self._open_in[zone], live.order.id)

    def expect(self, order_id: str, version: int, crew_id: str) -> None:
        """Count an order that a crew holds since just now, before the log says so: it may be full now."""
        live, crew = self.orders.get(order_id), self.crews.get(crew_id)
        if live is not None and crew is not None and live.order.version < version:
            self.crews[crew.id] = msgspec.structs.replace(crew, load=crew.load + 1)

    def _fold_crew(self, event: Logged, name: str | None) -> None:
        assert event.crew is not None
        crew = self.crews.get(event.crew)
        if event.kind in ("crew.added", "crew.changed"):
            told = msgspec.structs.asdict(_crew_data.decode(event.data))
            if crew is None:
                self.crews[event.crew] = Crew(id=event.crew, name=name or event.crew, **told)
            else:
                self.crews[event.crew] = msgspec.structs.replace(crew, name=name or crew.name, **told)
        elif crew is not None and event.kind in ("crew.shift_started", "crew.shift_ended"):
            self._withdraw(event.crew)
            on = event.kind == "crew.shift_started"
            self.crews[event.crew] = msgspec.structs.replace(
                crew,
                on_shift=on,
                shift_since=event.at if on else None,
                taken=0 if on else crew.taken,
                position=crew.position if on else None,
                position_at=crew.position_at if on else None,
            )

    def locate(self, crew_id: str, place: Location, at: datetime) -> None:
        """Keep a crew's newest position."""
        crew = self.crews.get(crew_id)
        if crew is not None and (crew.position_at is None or at >= crew.position_at):
            self.crews[crew_id] = msgspec.structs.replace(crew, position=place, position_at=at)

    def offers_to(self, crew_id: str) -> Iterator[LiveOrder]:
        """Return the orders that are open to a crew."""
        for order_id in sorted(self.open_to.get(crew_id, ())):
            live = self.orders.get(order_id)
            if live is not None and live.order.state == "offered" and crew_id in live.offered:
                yield live

    def not_yet_offered(self, crew_id: str) -> list[PublicOrder]:
        """Return the open orders that a crew was not offered though its zone and skills are asked for."""
        crew = self.crews.get(crew_id)
        if crew is None:
            return []
        zones = (None, crew.home_zone, *crew.zones_lent)  # an order open to the whole city is in zone None
        open_orders = set[str]().union(*(self._open_in.get(zone, ()) for zone in zones))
        known, skills = self.open_to.get(crew_id, set()), frozenset(crew.skills)
        found = (self.orders[order_id].order for order_id in sorted(open_orders - known))
        return [order for order in found if skills.issuperset(order.required_skills)]

    def held_orders(self, crew_id: str) -> Iterator[LiveOrder]:
        """Return the orders on a crew's list."""
        for order_id in sorted(self.held_by.get(crew_id, ())):
            yield self.orders[order_id]

    def state(self) -> dict[str, Any]:
        """Return everything that the property compares, as plain values."""
        return {
            "seq": self.seq,
            "orders": {
                key: (live.order, live.cycle, live.offered if live.order.state == "offered" else {})
                for key, live in self.orders.items()
            },
            "crews": {
                key: (
                    crew.skills,
                    crew.home_zone,
                    crew.zones_lent,
                    crew.capacity,
                    crew.on_shift,
                    crew.shift_since,
                    crew.load,
                )
                for key, crew in self.crews.items()
            },
            "held_by": {crew: held for crew, held in self.held_by.items() if held},
        }
