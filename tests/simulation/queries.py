"""What the engine asks outside of steps, as functions of the tables, under the text of the SQL that asks it.

Each is what its block in `dispatch/store/*.sql` says. A text that is not here is a failure of the simulation, so a new
query in the product is noticed.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from dispatch import forecasts
from dispatch.crews import Crew
from dispatch.events import Logged
from dispatch.orders import OPEN, WITH_CREW, Order, State
from dispatch.replans import REPLANS
from dispatch.store.crews import CREWS
from dispatch.store.memory import Tables
from dispatch.store.memory.tables import OrderRow
from dispatch.store.orders import ORDERS
from dispatch.store.rows import text
from dispatch.store.tx import LOG

EPOCH = "epoch"
Rows = list[Any]


def order_record(row: OrderRow) -> dict[str, Any]:
    """Return an order as its row in SQL."""
    order = row.order
    place = order.location
    return {
        "order_id": order.id,
        "version": order.version,
        "state": order.state.value,
        "cycle": order.cycle,
        "zone": order.zone,
        "category": order.category,
        "severity": order.severity,
        "lon": place.lon if place else None,
        "lat": place.lat if place else None,
        "address": None if order.address is None else text(order.address),
        "required_skills": order.required_skills,
        "crew_id": order.crew,
        "claimed_by": order.claimed_by,
        "reported_at": order.reported_at,
        "clocks": text(order.clocks),
        "offer": None if order.offer is None else text(order.offer),
        "incident": order.incident,
        "unverified": order.unverified,
        "merged_into": order.merged_into,
        "transferred_to": order.transferred_to,
        "excluded": order.excluded,
        "description": row.description,
        "contact": None if row.contact is None else text(row.contact),
    }


def crew_record(crew: Crew) -> dict[str, Any]:
    """Return a crew as its row in SQL, joined with its position."""
    at = crew.position
    return {
        "crew_id": crew.id,
        "name": crew.name,
        "skills": crew.skills,
        "home_zone": crew.home_zone,
        "capacity": crew.capacity,
        "on_shift": crew.on_shift,
        "shift_since": crew.shift_since,
        "load": crew.load,
        "taken": crew.taken,
        "score": crew.score,
        "lon": at.lon if at else None,
        "lat": at.lat if at else None,
        "received_at": crew.position_at,
        "zones_lent": crew.zones_lent,
        "revision": crew.revision,
    }


def _orders(tables: Tables, wanted: Callable[[Order], bool]) -> Rows:
    return [order_record(row) for _, row in sorted(tables.orders.items()) if wanted(row.order)]


def _logged(tables: Tables, event: Logged) -> dict[str, Any]:
    order = tables.orders.get(event.order or "")
    crew = tables.crews.get(event.crew or "") if event.kind in ("crew.added", "crew.changed") else None
    return {
        "seq": event.seq,
        "at": event.at,
        "kind": event.kind,
        "order_id": event.order,
        "crew_id": event.crew,
        "actor": event.actor,
        "data": bytes(event.data).decode(),
        "description": order.description if order else None,
        "contact": text(order.contact) if order and order.contact else None,
        "name": crew.name if crew else None,
    }


def _read(tables: Tables, _: str, after: int, limit: int) -> Rows:
    return [_logged(tables, event) for event in tables.events[after : after + limit]]


def _find_crews(tables: Tables, _: str, ids: list[str] | None) -> Rows:
    return [crew_record(crew) for key, crew in sorted(tables.crews.items()) if ids is None or key in ids]


def _rounds(tables: Tables, _: str, ids: list[str]) -> Rows:
    return [
        {
            "order_id": order,
            "cycle": cycle,
            "ring": grown.ring,
            "at": grown.at,
            "crews": grown.crews,
            "eta_s": grown.eta_s,
            "distance_m": grown.distance_m,
        }
        for (order, cycle), rounds in sorted(tables.rounds.items())
        if order in ids
        for grown in rounds
    ]


def _anything_due(tables: Tables, now: datetime) -> Rows:
    offers = bool(tables.due("offer_due_at", now) or tables.due("assign_at", now))
    return [{"offers": offers, "alarms": bool(tables.due("alarm_at", now))}]


def _due_offers(tables: Tables, now: datetime, limit: int) -> Rows:
    return [
        {
            "city_id": "town",
            "order_id": key,
            "windowed": offer.mode == "sealed" if offer else None,
            "ring_due": offer.widen_at[0] <= now if offer and offer.widen_at else None,
        }
        for key in tables.due("offer_due_at", now)[:limit]
        for offer in (tables.orders[key].order.offer,)
    ]


def _due_assignments(tables: Tables, now: datetime, limit: int) -> Rows:
    due = [tables.orders[key] for key in tables.due("assign_at", now)]
    due = [row for row in due if row.order.state is State.OFFERED]
    due.sort(key=lambda row: -row.order.severity)
    return [{"city_id": "town", "order_id": row.order.id} for row in due[:limit]]


def _due_alarms(tables: Tables, now: datetime) -> Rows:
    return [{"city_id": "town"}] if tables.due("alarm_at", now) else []


def _reported_since(tables: Tables, _: str, since: datetime, limit: int) -> Rows:
    rows = [row.order for row in tables.orders.values() if row.order.reported_at > since and row.order.location]
    rows.sort(key=lambda order: order.reported_at)
    return [
        {"lon": o.location.lon, "lat": o.location.lat, "severity": o.severity, "reported_at": o.reported_at}
        for o in rows[:limit]
        if o.location is not None
    ]


def _positions_since(tables: Tables, since: datetime) -> Rows:
    return [
        {
            "city_id": "town",
            "crew_id": crew.id,
            "lon": crew.position.lon,
            "lat": crew.position.lat,
            "accuracy_m": 5.0,
            "received_at": crew.position_at,
        }
        for _, crew in sorted(tables.crews.items())
        if crew.position is not None and crew.position_at is not None and crew.position_at > since
    ]


def _as_reported(tables: Tables, _: str, order_id: str) -> Rows:
    events = (event for event in tables.events if event.order == order_id and event.kind == "order.reported")
    return [{"data": text(_member(event))} for event in events][:1]


def _member(event: Logged) -> Any:
    return msgspec.json.decode(event.data)["order"]


QUERIES: dict[str, Callable[..., Rows]] = {
    LOG["heads"]: lambda tables: [{"city_id": "town", "last_seq": tables.last_seq}],
    LOG["head"]: lambda tables, _: [{"last_seq": tables.last_seq, "epoch": EPOCH, "name": "Town"}],
    LOG["read_with_particulars"]: _read,
    LOG["as_reported"]: _as_reported,
    ORDERS["open_orders"]: lambda tables, _: _orders(tables, lambda order: order.state in OPEN),
    ORDERS["in_hand"]: lambda tables, _: _orders(tables, lambda order: order.state in WITH_CREW),
    ORDERS["find_orders"]: lambda tables, _, ids: _orders(tables, lambda order: order.id in ids),
    ORDERS["rounds_of_orders"]: _rounds,
    ORDERS["anything_due"]: _anything_due,
    ORDERS["due_offers"]: _due_offers,
    ORDERS["due_assignments"]: _due_assignments,
    ORDERS["due_alarms"]: _due_alarms,
    ORDERS["reported_since"]: _reported_since,
    CREWS["find_crews"]: _find_crews,
    CREWS["positions_since"]: _positions_since,
    REPLANS["replans"]: lambda tables, _: [],  # the zones' policy leaves moves to the machine
    forecasts.FORECASTS["newest"]: lambda tables: [],
}
