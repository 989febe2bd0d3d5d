"""Step 5: nobody, or not in time: the machine assigns.

The planner process asks the optimizer (`optimizer.rolling`) and has what it answers done here, each part through the
same conditional commit as a grab: a part that is stale by then is dropped. Where no answer comes in time `assign_due`
takes the eligible crew of the whole city with the earliest predicted arrival. A sealed window with bids in it is
judged first: who asked goes before who is told. Where no crew is eligible the order stays open to grabs, is looked at
again every `RETRY`, and the dispatchers are told once why.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from crew_client.protocol import Location
from dispatch import clocks, offers
from dispatch.city import City
from dispatch.crews import Candidate, Crew, arrivals, candidates, obstacles
from dispatch.events import Event
from dispatch.orders import Order, State
from dispatch.store import TryAgain

if TYPE_CHECKING:
    from dispatch.store import Tx

RETRY = timedelta(seconds=5)
ACTOR = "system:planner"


def pick(order: Order, crews: Collection[Crew], city: City, *, now: datetime) -> tuple[Candidate | None, str]:
    """Return the crew to send and why, or None and the reason why nobody can go, counted over the crews.

    A crew that has not been heard of for `positions.stale_s` is sent only where there is no other: its phone may be
    dead, and nobody would know that nobody is on the way.
    """
    stale = timedelta(seconds=city.stale_s)
    heard_of = [crew for crew in crews if crew.position_at is not None and now - crew.position_at <= stale]
    travel = city.travel_at(now)
    etas = arrivals(order.location, crews, travel)
    ranked = candidates(order, heard_of, travel=travel, etas=etas)
    if not ranked or not ranked[0].eligible:
        ranked = candidates(order, crews, travel=travel, etas=etas)
    if ranked and ranked[0].eligible:
        best = ranked[0]
        return best, f"earliest predicted arrival, {best.eta_s:.0f} s" if best.eta_s is not None else "eligible"
    counted = Counter(reason for candidate in ranked for reason in candidate.reasons)
    why = ", ".join(f"{reason} {n}" for reason, n in counted.most_common())
    return None, why or "the city has no crews"


async def assign_due(
    tx: "Tx", order_id: str, crews: Collection[Crew], city: City, *, planned: str | None = None
) -> bool:
    """Assign an open order whose time for grabs is over; return whether somebody holds it now.

    `crews` is a recent look at the city; the crew that is picked from it is checked again under lock. `planned` is what
    the plan says of the order where nobody can be sent now.
    """
    seen = await tx.orders.find(order_id)
    if seen.offer is None or seen.offer.assign_at > tx.now:
        return False
    if await _bids_wait(tx, seen):
        return False  # the window's end is near, and whoever bid goes first
    best, why = pick(seen, crews, city, now=tx.now)
    if best is not None:
        return await give(tx, seen, best.crew, why=why)
    order = await tx.orders.lock_one(order_id)
    if _still_open(order, seen) and not await _bids_wait(tx, order):
        await _nobody(tx, order, f"{planned} ({why})" if planned else why)
    return False


async def give(tx: "Tx", seen: Order, crew_id: str, *, why: str) -> bool:
    """Give an open order to a crew; return whether it was done, which it is not where the offer that was seen is over.

    A sealed window with bids goes first. Raises `TryAgain` where the crew may not have the order any more: look anew.
    """
    locked = await tx.crews.lock([crew_id])
    order = await tx.orders.lock_one(seen.id)
    if not _still_open(order, seen) or await _bids_wait(tx, order):
        return False
    if obstacles(order, locked[crew_id], zones=None, excluded=order.excluded):
        raise TryAgain
    members = await offers.close(tx, order, "assigned")
    held = order.changed(
        state=State.CLAIMED,
        crew=crew_id,
        claimed_by="optimizer",
        offer=None,
        clocks=clocks.stop(order.clocks, "hand_down", tx.now),
    )
    await tx.orders.save(held)
    await tx.crews.add_load({crew_id: 1})
    given = {"crew": crew_id, "by": "optimizer", "reason": why}
    tx.record(Event.of_order("order.assigned", held, actor=ACTOR, given=given, **members))
    return True


async def move(
    tx: "Tx", order_id: str, crew_id: str, to: str, *, why: str, version: int | None = None, actor: str = ACTOR
) -> bool:
    """Take an order from the crew that was told of it and give it to another; return whether it was done.

    It is not where the order has changed since its `version` was seen, since it may be at another place by now; nor
    where the crew has begun by now, or accepted it in whatever way, or the other has no room. A grab that crossed the
    assignment is such a way: the crew was told that it won, and of a cycle nobody else may be told so.
    """
    locked = await tx.crews.lock([crew_id, to])
    order = await tx.orders.lock_one(order_id)
    told = order.state is State.CLAIMED and order.claimed_by == "optimizer" and order.crew == crew_id
    if version is not None and order.version != version:
        return False
    if not told or to not in locked or obstacles(order, locked[to], zones=None, excluded=order.excluded):
        return False
    if to == crew_id or crew_id in await tx.crews.winners(order):
        return False
    held = order.changed(crew=to)
    await tx.orders.save(held)
    await tx.crews.add_load({crew_id: -1, to: 1})
    members = {
        name: {"crew": crew, "by": "optimizer", "reason": why} for name, crew in (("lost", crew_id), ("given", to))
    }
    tx.record(Event.of_order("order.assigned", held, actor=actor, **members))
    return True


def route(tx: "Tx", crew_id: str, stops: Sequence[tuple[str, datetime]]) -> None:
    """Tell a crew in which order it best visits what it holds, and when it would be there."""
    told = [{"order": order_id, "eta": at} for order_id, at in stops]
    tx.record(Event.of_crew("crew.routed", crew_id, actor=ACTOR, stops=told))


def advise(tx: "Tx", crew_id: str, place: Location, *, why: str) -> None:
    """Advise an idle crew where to wait."""
    tx.record(Event.of_crew("crew.advised", crew_id, actor=ACTOR, location=place, reason=why))


def _still_open(order: Order, seen: Order) -> bool:
    return order.offer is not None and order.cycle == seen.cycle


async def _bids_wait(tx: "Tx", order: Order) -> bool:
    """Return whether a sealed window has bids that wait for their verdict."""
    return order.offer is not None and order.offer.mode == "sealed" and bool(await tx.crews.open_bids(order))


async def _nobody(tx: "Tx", order: Order, why: str) -> None:
    assert order.offer is not None
    first = order.offer.assign_at <= tx.now and not order.offer.stranded
    terms = msgspec.structs.replace(order.offer, assign_at=tx.now + RETRY, stranded=True)
    if not first:
        await tx.orders.reschedule(order, offer_due_at=terms.due_at, assign_at=terms.assign_at)
        return
    changed = order.changed(offer=terms)
    await tx.orders.save(changed)
    tx.record(Event.of_order("order.stranded", changed, actor=ACTOR, reason=why))
