"""What the city's log has told this crew, folded: open offers, held orders, the proposed route.

Pure and synchronous. Only `welcome` and messages with a `seq` change it, so that two clients which have seen the same
seq of the same epoch show the same, whatever was lost on the way.
"""

from datetime import datetime

import msgspec

from crew_client.protocol import (
    Advice,
    Assigned,
    Location,
    Offer,
    OfferClosed,
    OfferedOrder,
    Order,
    Revoked,
    Route,
    ShiftChanged,
    Stop,
    Updated,
    Welcome,
)

HELD_STATES = frozenset({"claimed", "en_route", "arrived", "suspended"})
"""An order in one of these is work of the crew that it names; after `resolved` it is history."""

LoggedMessage = Offer | OfferClosed | Assigned | Revoked | Updated | Route | Advice | ShiftChanged


class Mirror:
    """Open offers and held orders by order id; `seq` and `epoch` say up to where, `crew` says whose."""

    def __init__(self) -> None:
        self.crew: str | None = None
        self.epoch: str | None = None
        self.seq: int | None = None
        self.offers: dict[str, Offer] = {}
        self.orders: dict[str, Order] = {}
        self.route: tuple[Stop, ...] = ()
        self.waiting_place: Location | None = None
        self.on_shift = False
        self._declined: dict[str, Offer] = {}

    def welcome(self, message: Welcome) -> None:
        """Begin a connection: a snapshot replaces everything, a resumed one leaves all as it was until the replay."""
        resumed = message.resumed and self.seq is not None
        self.crew = message.crew
        self.epoch = message.epoch
        self.on_shift = message.on_shift
        if resumed:
            return
        self.seq = message.seq
        self.route = ()
        self.waiting_place = None
        # In place, since users hold views of them.
        self.orders.clear()
        self.orders.update((order.id, order) for order in message.orders)
        self.offers.clear()
        declined, self._declined = self._declined, {}
        for offered in message.offers:
            offer = offer_of(offered, message.seq)
            if _same(declined.get(offered.id), offer):
                self._declined[offered.id] = offer
            else:
                self.offers[offered.id] = offer

    def fold(self, message: LoggedMessage) -> bool:
        """Take a message of the log in; False if it was seen before and is to be ignored."""
        if self.seq is not None and message.seq <= self.seq:
            return False
        self.seq = message.seq
        match message:
            case Offer(order=order):
                self._close(order.id)
                self.orders.pop(order.id, None)
                self.offers[order.id] = message
            case OfferClosed(order=order_id):
                self._close(order_id)
            case Assigned(order=order):
                self._close(order.id)
                self.orders[order.id] = order
            case Revoked(order=order_id):
                self.orders.pop(order_id, None)
            case Updated(order=order):
                self._update(order)
            case Route(stops=stops):
                self.route = stops
            case Advice(location=place):
                self.waiting_place = place
            case ShiftChanged(on=on):
                self.on_shift = on
                self.offers.clear()
                self._declined.clear()
        return True

    def decline(self, order_id: str, closes_at: datetime) -> None:
        """Hide an offer that this crew has turned down; a later offer of the same order shows again."""
        offer = self.offers.get(order_id)
        if offer is not None and offer.closes_at == closes_at:
            self._declined[order_id] = self.offers.pop(order_id)

    def snapshot(self, server_time: datetime, *, on_shift: bool) -> Welcome:
        """Say everything in one message, as the server would to a client that has seen nothing."""
        if self.crew is None or self.epoch is None or self.seq is None:
            raise ValueError("nothing to say before the first welcome")
        return Welcome(
            crew=self.crew,
            seq=self.seq,
            epoch=self.epoch,
            server_time=server_time,
            offers=tuple(offered_order(offer) for offer in self.offers.values()),
            orders=tuple(self.orders.values()),
            resumed=False,
            on_shift=on_shift,
        )

    def _update(self, order: Order) -> None:
        if order.crew == self.crew and order.state in HELD_STATES:
            self._close(order.id)
            self.orders[order.id] = order
            return
        self.orders.pop(order.id, None)
        if order.state != "offered":
            self._close(order.id)
        elif order.id in self.offers:
            self.offers[order.id] = msgspec.structs.replace(self.offers[order.id], order=order)
        elif order.id in self._declined:
            self._declined[order.id] = msgspec.structs.replace(self._declined[order.id], order=order)

    def _close(self, order_id: str) -> None:
        self.offers.pop(order_id, None)
        self._declined.pop(order_id, None)


def _same(declined: Offer | None, offer: Offer) -> bool:
    """Return whether a snapshot shows an offer that was declined: windows pass, a new offer has a new version."""
    return declined is not None and (
        declined.closes_at == offer.closes_at or declined.order.version == offer.order.version
    )


def offer_of(offered: OfferedOrder, seq: int) -> Offer:
    """Turn an open offer of a snapshot taken at `seq` into the message that opened it."""
    return Offer(
        seq=seq,
        order=Order(**{field: getattr(offered, field) for field in Order.__struct_fields__}),
        mode=offered.mode,
        closes_at=offered.closes_at,
        eta_s=offered.eta_s,
        distance_m=offered.distance_m,
    )


def offered_order(offer: Offer) -> OfferedOrder:
    """Turn the message that opened an offer into its entry in a snapshot."""
    return OfferedOrder(
        **{field: getattr(offer.order, field) for field in Order.__struct_fields__},
        mode=offer.mode,
        closes_at=offer.closes_at,
        eta_s=offer.eta_s,
        distance_m=offer.distance_m,
    )
