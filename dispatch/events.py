"""The rows of a city's event log, as the step modules write them. Nothing else writes events.

`kind` is a past participle. `data` of an order's event always holds `order`, the order as it is after the event,
so that whoever keeps a copy replaces it and is right again. More members say what phones and consoles must be told:

- `offered`: {"mode", "closes_at", "ring", "crews": [[crew, eta_s, distance_m], ...]}: these crews may grab it now;
- `closed`: {"reason"}: the offer of `cycle` is over (`taken`, `assigned`, `withdrawn`, `expired`);
- `bids`: [[crew, message id, reason], ...]: the verdicts of a sealed window;
- `lost`: {"crew", "by", "reason"}: this crew holds it no longer;
- `given`: {"crew", "by", "reason"}: this crew holds it now without having grabbed it;
- `left`: {"zone", "location"}: where the order was before, if the event moved it.

Events carry ids, never names or phone numbers.
"""

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw, Struct

if TYPE_CHECKING:
    from crew_client.protocol import PublicOrder
    from dispatch.orders import Order

encode = msgspec.json.Encoder().encode


class Event(Struct, frozen=True):
    """An event that the running transaction will write; `data` is JSON text."""

    kind: str
    actor: str
    data: bytes
    order: str | None = None
    crew: str | None = None

    @classmethod
    def of_order(cls, kind: str, order: "Order", *, actor: str, **members: Any) -> "Event":
        """Return an event about an order as it is after the change; `members` join its data."""
        return cls.of_public(kind, order.public(), order.cycle, actor=actor, **members)

    @classmethod
    def of_public(
        cls, kind: str, order: "PublicOrder", cycle: int, *, actor: str, text: Raw | None = None, **members: Any
    ) -> "Event":
        """Return the same of an order as the wire shows it; `text` is its JSON where it is known."""
        data = encode({"order": text or order, "cycle": cycle, **members})
        return cls(kind=kind, actor=actor, data=data, order=order.id, crew=order.crew)

    @classmethod
    def of_crew(cls, kind: str, crew: str, *, actor: str, **members: Any) -> "Event":
        """Return an event about a crew."""
        return cls(kind=kind, actor=actor, data=encode(members), crew=crew)

    @classmethod
    def of_city(cls, kind: str, *, actor: str, **members: Any) -> "Event":
        """Return an event about the city as a whole."""
        return cls(kind=kind, actor=actor, data=encode(members))


class Logged(Struct, frozen=True):
    """An event as it stands in the log: `data` is left as JSON text until somebody needs it."""

    seq: int
    at: Any
    kind: str
    actor: str
    data: Raw
    order: str | None = None
    crew: str | None = None
