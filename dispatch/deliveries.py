"""From an event to the frames that crews must be sent; pure. A part of step 7.

A frame is kept as `head + tail`, because the long part of an offer (the order) is the same for every crew.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from dispatch.events import Logged
from dispatch.mirror import LiveOrder, OrderData

CONCERNS_ITS_CREW = frozenset({"claimed", "en_route", "arrived", "suspended", "resolved"})
OF_A_CREW = {
    "crew.routed": "route",
    "crew.advised": "advice",
    "crew.shift_started": "shift_changed",
    "crew.shift_ended": "shift_changed",
}
"""Events of a crew that it is told of, in a frame of this type with the members of the event's data."""
_encoder = msgspec.json.Encoder()


def say(value: Any) -> str:
    """Return a value as JSON text."""
    return _encoder.encode(value).decode()


class Delivery(NamedTuple):
    """A frame for one crew; `seq` is its place in the log."""

    crew: str
    seq: int
    head: str
    tail: str

    @property
    def frame(self) -> str:
        """The text of the frame."""
        return self.head + self.tail


def order_text(live: LiveOrder, *, contact: bool) -> str:
    """Return an order as a crew sees it: with its description, and for its holder with the resident's contact."""
    text = live.text[:-1]
    if live.description:
        text += f',"description":{say(live.description)}'
    if contact and live.contact:
        text += f',"contact":{say(live.contact)}'
    return text + "}"


def offer_head(seq: int, live: LiveOrder) -> str:
    """Return what is common to the `offer` frames of an order."""
    return (
        f'{{"type":"offer","seq":{seq},"order":{order_text(live, contact=False)},'
        f'"mode":"{live.mode}","closes_at":{say(live.closes_at)},'
    )


def deliveries(seq: int, order_id: str, data: OrderData, live: LiveOrder) -> Iterator[Delivery]:
    """Return the frames of an order's event, in the order in which one crew must see them.

    `live` is the order after the event, its offered set not yet forgotten. Who bid hears the verdict, who was offered
    hears that it is gone, who lost it hears so, who has it now gets the order, who is offered it gets the offer. Of
    offers a crew hears on shift alone; what it was shown is gone for it with the `shift_changed` that ends the shift.
    """
    holder = live.order.crew
    for crew, message, reason in data.bids:
        won = "true" if reason == "won" else "false"
        head = f'{{"type":"grab_result","id":{say(message)},"order":"{order_id}","won":{won},"reason":"{reason}"}}'
        yield Delivery(crew, seq, head, "")
    if data.closed is not None:
        head = f'{{"type":"offer_closed","seq":{seq},"order":"{order_id}","reason":"{data.closed.reason}"}}'
        for crew in live.closed_to:
            if crew != holder:
                yield Delivery(crew, seq, head, "")
    if data.lost is not None:
        head = (
            f'{{"type":"revoked","seq":{seq},"order":"{order_id}","by":"{data.lost.by}",'
            f'"reason":{say(data.lost.reason)}}}'
        )
        yield Delivery(data.lost.crew, seq, head, "")
    if data.given is not None:
        head = (
            f'{{"type":"assigned","seq":{seq},"order":{order_text(live, contact=True)},"by":"{data.given.by}",'
            f'"reason":{say(data.given.reason)}}}'
        )
        yield Delivery(data.given.crew, seq, head, "")
    elif holder is not None and live.changed and live.order.state in CONCERNS_ITS_CREW:
        yield Delivery(holder, seq, _updated(seq, live, contact=True), "")
    newly = frozenset(live.offered_now)
    if newly:
        head = offer_head(seq, live)
        for crew in live.offered_now:
            eta_s, distance_m = live.offered[crew]
            yield Delivery(crew, seq, head, f'"eta_s":{eta_s},"distance_m":{distance_m}}}')
    if live.order.state == "offered" and data.closed is None and live.changed:
        others = [crew for crew in live.offered if crew not in newly]
        if others:
            head = _updated(seq, live, contact=False)
            for crew in others:
                yield Delivery(crew, seq, head, "")


def crew_delivery(event: Logged) -> Delivery | None:
    """Return the frame of a crew's own event, None where it says nothing to the crew."""
    name = OF_A_CREW.get(event.kind)
    if name is None or event.crew is None:
        return None
    members = bytes(event.data).decode()[1:]
    if members == "}":
        return None  # a shift of before its event said more
    return Delivery(event.crew, event.seq, f'{{"type":"{name}","seq":{event.seq},{members}', "")


def _updated(seq: int, live: LiveOrder, *, contact: bool) -> str:
    return f'{{"type":"updated","seq":{seq},"order":{order_text(live, contact=contact)}}}'
