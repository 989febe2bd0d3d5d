"""Database rows to the core's values and back."""

from collections.abc import Mapping
from typing import Any

import msgspec

from crew_client.protocol import Clock, Location
from dispatch.clocks import alarm_at
from dispatch.crews import Crew
from dispatch.orders import Order, State, Terms

_clocks = msgspec.json.Decoder(dict[str, Clock])
_terms = msgspec.json.Decoder(Terms)
_address = msgspec.json.Decoder(dict[str, Any])
_encode = msgspec.json.Encoder().encode
_STATES = {state.value: state for state in State}


def text(value: Any) -> str:
    """Return a value as JSON text."""
    return _encode(value).decode()


def order_of(row: Mapping[str, Any]) -> Order:
    """Return the order that a row of `orders` holds."""
    lon, address, offer = row["lon"], row["address"], row["offer"]
    return Order(
        id=row["order_id"],
        version=row["version"],
        state=_STATES[row["state"]],
        cycle=row["cycle"],
        zone=row["zone"],
        category=row["category"],
        severity=row["severity"],
        location=None if lon is None else Location(lon, row["lat"]),
        address=None if address is None else _address.decode(address),
        required_skills=tuple(row["required_skills"]),
        crew=row["crew_id"],
        claimed_by=row["claimed_by"],
        reported_at=row["reported_at"],
        clocks=_clocks.decode(row["clocks"]),
        offer=None if offer is None else _terms.decode(offer),
        incident=row["incident"],
        unverified=row["unverified"],
        merged_into=row["merged_into"],
        transferred_to=row["transferred_to"],
        excluded=tuple(row["excluded"]),
    )


def changes_of(order: Order) -> dict[str, Any]:
    """Return everything of an order that can change, as `save_orders` takes it."""
    return {
        "order_id": order.id,
        "version": order.version,
        "state": order.state.value,
        "cycle": order.cycle,
        "zone": order.zone,
        "severity": order.severity,
        "lon": order.location.lon if order.location else None,
        "lat": order.location.lat if order.location else None,
        "crew_id": order.crew,
        "claimed_by": order.claimed_by,
        "clocks": order.clocks,
        "alarm_at": alarm_at(order.clocks),
        "offer": order.offer,
        "offer_due_at": order.offer.due_at if order.offer else None,
        "assign_at": order.offer.assign_at if order.offer else None,
        "incident": order.incident,
        "unverified": order.unverified,
        "merged_into": order.merged_into,
        "transferred_to": order.transferred_to,
        "excluded": order.excluded,
    }


def crew_of(row: Mapping[str, Any]) -> Crew:
    """Return the crew that a row of `crew`, joined with its position, holds."""
    return Crew(
        id=row["crew_id"],
        name=row["name"],
        skills=tuple(row["skills"]),
        home_zone=row["home_zone"],
        capacity=row["capacity"],
        on_shift=row["on_shift"],
        shift_since=row["shift_since"],
        load=row["load"],
        taken=row["taken"],
        score=row["score"],
        position=None if row["lon"] is None else Location(row["lon"], row["lat"]),
        position_at=row["received_at"],
        zones_lent=tuple(row["zones_lent"]),
        revision=row["revision"],
    )
