"""What a grab is worth: who may have an order, and which of several bids wins it. Pure functions."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Literal

from msgspec import Struct

from crew_client.protocol import GrabReason
from dispatch.crews import Crew, hours_on_shift, obstacles
from dispatch.orders import WITH_CREW, Order, State

BID: Literal["bid"] = "bid"


class Bid(Struct, frozen=True):
    """A bid of a sealed window, with the arrival predicted for it when it came in, work at hand included."""

    crew: str
    message: str
    eta_s: float
    at: datetime


class Ranked(Struct, frozen=True):
    """A bidder as the winner rule saw him; `tie` says that he was near the earliest arrival."""

    crew: str
    eta_s: float
    score: float
    orders_per_hour: float
    tie: bool


class Decision(Struct, frozen=True):
    """Who won a sealed window and why.

    `reason`: `only_bid`, `earliest_arrival`, `near_tie_score`, `near_tie_fewer_orders`, `near_tie_arrival` or
    `near_tie_lot`; `unfit` has the verdict of bidders who could no longer take the order when the window closed.
    """

    winner: str | None
    reason: str
    ranking: tuple[Ranked, ...]
    unfit: Mapping[str, GrabReason]


def judge(order: Order | None, crew: Crew | None) -> GrabReason | Literal["bid"]:
    """Return the verdict on one grab of an order by a crew, both as they stand under lock.

    `won` and `bid` say that the crew may have it, in mode `first` and `sealed`.
    """
    if order is None or crew is None:
        return "unknown_order"
    if order.state is not State.OFFERED or order.offer is None:
        # Whom a dispatcher gave it was told so; he may have taken it from the one who won this cycle.
        if order.crew == crew.id and order.state in WITH_CREW and order.claimed_by != "dispatcher":
            return "won"
        return "taken" if order.crew is not None else "closed"
    reasons = obstacles(order, crew, zones=order.offer.zones, excluded=order.excluded)
    if reasons:
        return unfit_reason(reasons)
    return "won" if order.offer.mode == "first" else BID


def unfit_reason(reasons: Sequence[str]) -> GrabReason:
    """Return the wire's word for the obstacles of `crews.obstacles`."""
    if "off_shift" in reasons:
        return "off_shift"
    return "at_capacity" if "at_capacity" in reasons else "not_eligible"


def choose(order: Order, bids: Sequence[Bid], crews: Mapping[str, Crew], *, tie_s: float, now: datetime) -> Decision:
    """Choose the winner of a sealed window.

    The earliest predicted arrival wins. Those within `tie_s` of it are a near tie, which goes to the better service
    score, then to whom fewer orders fell per hour on shift, then to the earlier arrival, then to a lot drawn from the
    ids, so that the same bids give the same winner everywhere. A crew's first bid counts.
    """
    assert order.offer is not None
    unfit: dict[str, GrabReason] = {}
    first: dict[str, Bid] = {}
    for bid in bids:
        crew = crews.get(bid.crew)
        reasons = obstacles(order, crew, zones=order.offer.zones, excluded=order.excluded) if crew else ("gone",)
        if reasons:
            unfit[bid.crew] = unfit_reason(reasons)
        else:
            first.setdefault(bid.crew, bid)
    if not first:
        return Decision(None, "no_fit_bid", (), unfit)
    earliest = min(bid.eta_s for bid in first.values())
    field = [
        Ranked(
            crew=bid.crew,
            eta_s=bid.eta_s,
            score=crews[bid.crew].score,
            orders_per_hour=round(crews[bid.crew].taken / hours_on_shift(crews[bid.crew], now), 3),
            tie=bid.eta_s <= earliest + tie_s,
        )
        for bid in first.values()
    ]
    lots = {entry.crew: sha256(f"{order.id}/{order.cycle}/{entry.crew}".encode()).hexdigest() for entry in field}
    field.sort(
        key=lambda r: (
            not r.tie,
            *((-r.score, r.orders_per_hour, r.eta_s) if r.tie else (r.eta_s, -r.score, r.orders_per_hour)),
            lots[r.crew],
        )
    )
    return Decision(field[0].crew, _why(field), tuple(field), unfit)


def _why(field: Sequence[Ranked]) -> str:
    best = field[0]
    if len(field) == 1:
        return "only_bid"
    second = field[1]
    if not second.tie:
        return "earliest_arrival"
    if best.score != second.score:
        return "near_tie_score"
    if best.orders_per_hour != second.orders_per_hour:
        return "near_tie_fewer_orders"
    return "near_tie_arrival" if best.eta_s != second.eta_s else "near_tie_lot"
