"""The vocabulary of orders: the states, who may move an order from which to which, and the order itself. Read first.

    report ─> unzoned ──┐                       ┌──> suspended ──┐
                        v                       │                │
               ┌──> offered ──grab/assign──> claimed ─> en_route ─> arrived ─> resolved ─> closed
               │        │                       │          (rating "not resolved": back to offered)
               └─ held <┴───────────────────────┘
               merged, transferred, cancelled: taken out by a dispatcher, from any open state

An order is at any time held by one crew (`claimed`, `en_route`, `arrived`), open to grabs (`offered`), with
the dispatcher (`unzoned`, `held`, `suspended`, `transferred`), or done. It never just stops.

`version` grows by one with every change. `cycle` counts how often the order was opened to grabs: a verdict
belongs to a cycle, and each cycle has at most one winner. Everything here is a value; nothing does I/O.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

import msgspec
from msgspec import Struct

from crew_client.protocol import Clock, Location, PublicOrder
from dispatch.errors import Impossible


class State(StrEnum):
    """Where an order stands; the words are the wire's."""

    UNZONED = "unzoned"
    OFFERED = "offered"
    CLAIMED = "claimed"
    EN_ROUTE = "en_route"
    ARRIVED = "arrived"
    RESOLVED = "resolved"
    CLOSED = "closed"
    HELD = "held"
    SUSPENDED = "suspended"
    TRANSFERRED = "transferred"
    MERGED = "merged"
    CANCELLED = "cancelled"


WITH_CREW = frozenset({State.CLAIMED, State.EN_ROUTE, State.ARRIVED})
"""A crew holds the order and it counts towards his load."""

WITH_DISPATCHER = frozenset({State.UNZONED, State.HELD, State.SUSPENDED, State.TRANSFERRED})
"""Nobody works on it; it stands on a dispatcher's list."""

OPEN = WITH_CREW | WITH_DISPATCHER | {State.OFFERED}
"""Work still to be done."""

DONE = frozenset(State) - OPEN
"""Resolved, or taken out. `resolved` and `merged` may come back."""

PROGRESS: dict[State, frozenset[State]] = {
    State.EN_ROUTE: frozenset({State.CLAIMED, State.SUSPENDED}),
    State.ARRIVED: frozenset({State.CLAIMED, State.EN_ROUTE, State.SUSPENDED}),
    State.RESOLVED: frozenset({State.ARRIVED}),
    State.SUSPENDED: WITH_CREW,
}
"""What the crew that holds an order may report: the new state, and the states that it may come from."""

ACTIONS: dict[str, frozenset[State]] = {
    "assign": OPEN,
    "revoke": WITH_CREW | {State.SUSPENDED},
    "hold": OPEN - {State.HELD},
    "release": frozenset({State.HELD, State.SUSPENDED, State.TRANSFERRED}),
    "offer": WITH_DISPATCHER | {State.OFFERED},
    "reprioritize": OPEN,
    "move": OPEN,
    "merge": OPEN,
    "unmerge": frozenset({State.MERGED}),
    "transfer": OPEN - {State.TRANSFERRED},
    "cancel": OPEN,
    "pause": OPEN,
    "resume": OPEN,
    "confirm_arrival": WITH_CREW,
    "close": frozenset({State.RESOLVED}),
    "undo": frozenset(State),
}
"""What a dispatcher may do, and in which states."""

ClaimedBy = Literal["grab", "optimizer", "dispatcher"]
Mode = Literal["first", "sealed"]


class Terms(Struct, frozen=True):
    """The terms of an open offer. `zones` None means the whole city; `ring` 0 the zone, 1 its neighbours too, 2 all.

    `widen_at` holds the moments of the rings still to open; `stranded` says that the machine found nobody to send.
    `closes_at` ends the sealed window in force; in mode `first` it is when the machine takes over.
    """

    mode: Mode
    window_s: float
    tie_s: float
    opened_at: datetime
    closes_at: datetime
    assign_at: datetime
    widen_at: tuple[datetime, ...] = ()
    ring: int = 0
    zones: tuple[str, ...] | None = None
    stranded: bool = False

    @property
    def due_at(self) -> datetime | None:
        """The next end of a window or opening of a ring, None where neither is to come."""
        moments = [*self.widen_at[:1], *([self.closes_at] if self.mode == "sealed" else [])]
        return min(moments, default=None)


class Order(Struct, frozen=True):
    """An order with everything that decides about it. `location` is WGS-84; `clocks` by name (see `dispatch.clocks`)."""

    id: str
    version: int
    state: State
    cycle: int
    zone: str | None
    category: str
    severity: int
    location: Location | None
    address: dict[str, Any] | None
    required_skills: tuple[str, ...]
    crew: str | None
    claimed_by: ClaimedBy | None
    reported_at: datetime
    clocks: dict[str, Clock]
    offer: Terms | None = None
    incident: str | None = None
    unverified: bool = False
    merged_into: str | None = None
    transferred_to: str | None = None
    excluded: tuple[str, ...] = ()

    def changed(self, **fields: Any) -> "Order":
        """Return the next version with these fields changed."""
        return msgspec.structs.replace(self, version=self.version + 1, **fields)

    def public(self) -> PublicOrder:
        """Return what everybody may see: no description and no contact, which may hold names and numbers."""
        return PublicOrder(
            id=self.id,
            version=self.version,
            state=self.state.value,
            zone=self.zone,
            category=self.category,
            severity=self.severity,
            location=self.location,
            address=self.address,
            crew=self.crew,
            claimed_by=self.claimed_by,
            reported_at=self.reported_at,
            clocks=self.clocks,
            incident=self.incident,
            required_skills=self.required_skills,
            unverified=self.unverified,
        )


def require(order: Order, action: str) -> None:
    """Raise `Impossible` where the order's state does not allow the action."""
    if order.state not in ACTIONS[action]:
        allowed = ", ".join(sorted(ACTIONS[action]))
        raise Impossible(f"order {order.id} is {order.state.value}; {action} needs one of: {allowed}")
