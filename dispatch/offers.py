"""Step 3: who is offered an order: its zone first, then the neighbours, then the city, until somebody has it.

Opening an offer begins a new cycle. It is told to the crews that may grab it now (on shift, position known,
skills cover the order's, load under capacity, in a ring that is open); a crew that comes on shift, or whose load
falls, is told of what is open to it then. Terms are kept on the order, circles as rows of `offer_round`.

In mode `sealed` time is cut into windows of `window_s`. At the end of a window its bids are judged
(`dispatch.grabs`); a window without bids is followed by the next.

Promise: an open offer always has a next moment at which somebody looks at it again: the end of its window, its next
ring (`Terms.due_at`), and the moment when the machine takes over (`Terms.assign_at`).
"""

import math
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from dispatch import clocks
from dispatch.city import City
from dispatch.crews import Candidate, Crew, arrivals, candidates, obstacles
from dispatch.events import Event
from dispatch.orders import Order, State, Terms
from dispatch.policy import machine_takes_over, near_enough_to_grab, safe_to_grab
from geo import TravelTimes

if TYPE_CHECKING:
    from dispatch.store import Tx


CAUTIOUS = 0.9
"""The machine counts on travel times that this share of the trips do not exceed."""


class Windows(Protocol):
    """What says when an offer's sealed windows end."""

    @property
    def mode(self) -> str:
        """`first` or `sealed`."""
        ...

    @property
    def closes_at(self) -> datetime:
        """When a window ended, or ends."""
        ...

    @property
    def window_s(self) -> float:
        """How long each lasts."""
        ...


def window_end(terms: Windows, now: datetime) -> datetime:
    """Return when the sealed window that `now` falls into ends; in mode `first`, when the machine takes over."""
    if terms.mode == "first" or terms.closes_at > now or terms.window_s <= 0:
        return terms.closes_at
    window = timedelta(seconds=terms.window_s)
    return terms.closes_at + ((now - terms.closes_at) // window + 1) * window


async def _window_in_force(tx: "Tx", order: Order, terms: Terms) -> datetime:
    """Return when the window in force ends; one that is over and whose bids wait to be judged stays as it is."""
    if terms.mode == "sealed" and terms.closes_at <= tx.now and await tx.crews.open_bids(order):
        return terms.closes_at
    return window_end(terms, tx.now)


def circle(
    order: Order, terms: Terms, crews: Iterable[Crew], city: City, *, now: datetime, etas: Mapping[str, float]
) -> list[Candidate]:
    """Return the crews that are offered the order now, the nearest first; `etas` has how far each is, in seconds.

    Where only what is safe is left to grabs, a crew that is too far for it is not asked.
    """
    due_at = _arrival_due(order) if city.policy(order.zone).leave_to_grabs == "when_safe" else None
    due_in_s = None if due_at is None else (due_at - now).total_seconds()
    inside = [
        crew
        for crew in crews
        if (terms.zones is None or crew.serves(terms.zones))
        and crew.id in etas
        and near_enough_to_grab(etas[crew.id], due_in_s=due_in_s)
    ]
    ranked = candidates(order, inside, travel=city.travel, zones=terms.zones, etas=etas)
    return [candidate for candidate in ranked if candidate.eligible]


def _arrival_due(order: Order) -> datetime | None:
    """Return when somebody should be at the door, None where no clock runs."""
    arrival = order.clocks.get("arrival")
    return arrival.due_at if arrival and arrival.stopped_at is None else None


def placed(order: Order, city: City) -> Order:
    """Return the order in the zone that its place has on the map in force."""
    if order.location is None or city.zones is None:
        return order
    return msgspec.structs.replace(order, zone=city.locate(order.location))


def opened(
    order: Order, crews: Collection[Crew], city: City, *, now: datetime, excluded: tuple[str, ...] = ()
) -> tuple[Order, list[Candidate]]:
    """Return the order opened to grabs in its zone of the map in force, and the circle that it is offered to first."""
    order = placed(order, city)
    policy = city.policy(order.zone)
    order = msgspec.structs.replace(order, excluded=excluded)
    due_at = _arrival_due(order)
    travel = city.travel_at(now)
    etas = arrivals(order.location, crews, travel)
    idle_s, nearest_s = _best_etas_s(order, crews, etas)
    in_time = idle_s is not None and (due_at is None or now + timedelta(seconds=idle_s) <= due_at)
    # Who knows when one with work in hand is free: he is counted on only where no idle crew can be there in time.
    best_s = idle_s if in_time else nearest_s
    assign_at = machine_takes_over(
        policy,
        now,
        arrival_due=due_at,
        best_eta_s=best_s,
        late_eta_s=None if best_s is None else best_s * travel.factor(CAUTIOUS) / travel.factor(0.5),
        chance=city.grab_chance(order.zone, now),
    )
    sealed = policy.mode == "sealed" and policy.window_s > 0
    terms = Terms(
        mode="sealed" if sealed else "first",
        window_s=policy.window_s,
        tie_s=policy.tie_s,
        opened_at=now,
        closes_at=now + timedelta(seconds=policy.window_s) if sealed else assign_at,
        assign_at=assign_at,
        widen_at=tuple(now + timedelta(seconds=after) for after in policy.rings),
        zones=city.ring_zones(order.zone, 0),
    )
    order = msgspec.structs.replace(
        order, state=State.OFFERED, cycle=order.cycle + 1, crew=None, claimed_by=None, offer=terms
    )
    first = circle(order, terms, crews, city, now=now, etas=etas)
    theirs = [each.eta_s for each in first if each.eta_s is not None]
    if policy.leave_to_grabs == "when_safe" and not safe_to_grab(theirs, best_eta_s=nearest_s):
        order = msgspec.structs.replace(order, offer=msgspec.structs.replace(terms, assign_at=now))
    return order, first


def taken_back(order: Order, now: datetime) -> Order:
    """Return the order taken from its crew: the hand-down clock runs on, a pause of a suspension ends."""
    resumed = clocks.resume(order.clocks, now)
    return msgspec.structs.replace(
        order, crew=None, claimed_by=None, unverified=False, clocks=clocks.restart(resumed, "hand_down", now)
    )


def opened_without(
    order: Order, crew: str | None, crews: Collection[Crew], city: City, *, now: datetime
) -> tuple[Order, list[Candidate] | None]:
    """Return an order opened again, to everybody but the crew that lost it; one without a place is the dispatcher's."""
    excluded = tuple(dict.fromkeys((*order.excluded, crew) if crew else order.excluded))
    free = taken_back(order, now)
    if free.location is None:
        return msgspec.structs.replace(free, state=State.UNZONED, offer=None, excluded=excluded), None
    return opened(free, crews, city, now=now, excluded=excluded)


def _best_etas_s(order: Order, crews: Iterable[Crew], etas: Mapping[str, float]) -> tuple[float | None, float | None]:
    """Return in how many seconds the nearest idle crew that may take the order is there, and the nearest of all."""
    fit = [
        (crew.load, etas[crew.id])
        for crew in crews
        if crew.id in etas and not obstacles(order, crew, zones=None, excluded=order.excluded)
    ]
    return min((eta for load, eta in fit if not load), default=None), min((eta for _, eta in fit), default=None)


def offered(order: Order, to: Collection[Candidate]) -> dict[str, Any]:
    """Return the member of an event's data that tells these crews of the offer."""
    assert order.offer is not None
    return {
        "mode": order.offer.mode,
        "closes_at": order.offer.closes_at,
        "window_s": order.offer.window_s,
        "ring": order.offer.ring,
        "zones": order.offer.zones,
        "crews": [(c.crew, c.eta_s, c.distance_m) for c in to],
    }


async def everybody_answered(tx: "Tx", order: Order, city: City) -> bool:
    """Return whether nobody is left whose answer an order's sealed window waits for.

    Beside those who were offered it these are the crews that may grab it and were not asked yet: an engine opens an
    offer to the crews that it knows of, and hears a moment later of one that another engine has located.
    """
    answered = await tx.orders.answered(order)
    offered = await tx.orders.offered(order)
    if order.offer is None or not offered <= answered:
        return False
    unasked = await tx.crews.eligible(order, but=offered | answered)
    if not unasked:
        return True
    etas = arrivals(order.location, unasked, city.travel_at(tx.now))
    return not circle(order, order.offer, unasked, city, now=tx.now, etas=etas)


async def announce(tx: "Tx", order: Order, to: Collection[Candidate], *, actor: str, **members: Any) -> None:
    """Write the first circle of an opened order, and the event that tells it."""
    await tx.orders.add_round(order, to)
    tx.record(Event.of_order("order.offered", order, actor=actor, offered=offered(order, to), **members))


async def close(tx: "Tx", order: Order, reason: str) -> dict[str, Any]:
    """Settle what is open about an offer that ends otherwise than by a grab; return the members for its event.

    `reason` is `assigned`, `withdrawn` or `expired`; bids still open get the verdict `taken` or `closed`.
    """
    if order.state is not State.OFFERED:
        return {}
    members: dict[str, Any] = {"closed": {"reason": reason, "cycle": order.cycle}}
    if order.offer is not None and order.offer.mode == "sealed":
        verdict = "taken" if reason == "assigned" else "closed"
        if bids := await tx.crews.settle_bids(order, winner=None, reason=verdict):
            members["bids"] = bids
    return members


async def widen(tx: "Tx", order_id: str, crews: Collection[Crew], city: City) -> None:
    """Open the next ring of an order to those who were not offered it yet."""
    order = await tx.orders.lock_one(order_id)
    terms = order.offer
    if terms is None or not terms.widen_at or terms.widen_at[0] > tx.now:
        return
    ring = terms.ring + 1
    terms = msgspec.structs.replace(
        terms,
        ring=ring,
        widen_at=terms.widen_at[1:],
        zones=city.ring_zones(order.zone, ring),
        closes_at=await _window_in_force(tx, order, terms),
    )
    order = order.changed(offer=terms)
    known = await tx.orders.offered(order)
    etas = arrivals(order.location, crews, city.travel_at(tx.now))
    inside = circle(order, terms, crews, city, now=tx.now, etas=etas)
    fresh = [candidate for candidate in inside if candidate.crew not in known]
    await tx.orders.save(order)
    if fresh:
        await tx.orders.add_round(order, fresh)
    tx.record(Event.of_order("order.widened", order, actor="system:clocks", offered=offered(order, fresh)))


async def join(tx: "Tx", crew_id: str, order_ids: Collection[str], city: City, *, since: int) -> None:
    """Offer a crew what is open to it: it came on shift, was located, or has room again.

    The orders are those that were not offered to it on this shift as memory has the log, up to `since`: what the log
    says later is looked up. They do not change by it, only the circle to which they are open.
    """
    crew = (await tx.crews.find([crew_id])).get(crew_id)
    if crew is None or crew.position is None or not order_ids:
        return
    # Most are not for him: only what is gets locked, so that crews who come on do not hold up those who grab.
    seen = await tx.orders.find_all(order_ids)
    etas = _etas_of(crew, seen, city.travel_at(tx.now))
    orders = await tx.orders.lock([order.id for order in seen if _circle_of_one(order, crew, city, etas, now=tx.now)])
    known = await tx.orders.offered_since(crew, list(orders), after=since)
    joined: list[tuple[Order, Candidate]] = []
    for order in orders.values():
        if (order.id, order.cycle) in known:
            continue
        for candidate in _circle_of_one(order, crew, city, etas, now=tx.now):
            assert order.offer is not None
            joined.append((order, candidate))
            told = {**offered(order, [candidate]), "closes_at": await _window_in_force(tx, order, order.offer)}
            tx.record(Event.of_order("order.offered_to", order, actor="system:offers", offered=told))
    await tx.orders.add_to_rounds(joined)


def _etas_of(crew: Crew, orders: Iterable[Order], travel: TravelTimes) -> dict[str, float]:
    """Return in how many seconds the crew could be at each order that has a place, asked for all of them at once."""
    placed = [(order.id, order.location) for order in orders if order.location is not None]
    if crew.position is None or not placed:
        return {}
    at, places = crew.position, [(place.lon, place.lat) for _, place in placed]
    row = travel.matrix([(at.lon, at.lat)], places)[0].tolist()
    return {order: eta for (order, _), eta in zip(placed, row, strict=True) if math.isfinite(eta)}


def _circle_of_one(
    order: Order, crew: Crew, city: City, etas: Mapping[str, float], *, now: datetime
) -> list[Candidate]:
    """Return the crew as a candidate where the order is open and it may grab it, else nobody; `etas` by order."""
    if order.offer is None:
        return []
    known = {crew.id: etas[order.id]} if order.id in etas else {}
    return circle(order, order.offer, [crew], city, now=now, etas=known)
