"""Step 5: nobody, or not in time: the machine assigns.

It takes the eligible crew of the whole city with the earliest predicted arrival, through the same conditional
commit as a grab. A sealed window with bids in it is judged first: who asked goes before who is told. Where no crew
is eligible the order stays open to grabs, is looked at again every `RETRY`, and the dispatchers are told once why.
"""

from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

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


async def assign_due(tx: "Tx", order_id: str, crews: Collection[Crew], city: City) -> bool:
    """Assign an open order whose time for grabs is over; return whether somebody holds it now.

    `crews` is a recent look at the city; the crew that is picked from it is checked again under lock.
    """
    seen = await tx.orders.find(order_id)
    if seen.offer is None or seen.offer.assign_at > tx.now:
        return False
    if seen.offer.mode == "sealed" and await tx.crews.open_bids(seen):
        return False  # the window's end is near, and whoever bid goes first
    best, why = pick(seen, crews, city, now=tx.now)
    locked = await tx.crews.lock([best.crew]) if best else {}
    order = await tx.orders.lock_one(order_id)
    if order.offer is None or order.cycle != seen.cycle:
        return False
    if order.offer.mode == "sealed" and await tx.crews.open_bids(order):
        return False  # one came in while we looked
    if best is None:
        await _nobody(tx, order, why)
        return False
    if obstacles(order, locked[best.crew], zones=None, excluded=order.excluded):
        raise TryAgain
    members = await offers.close(tx, order, "assigned")
    held = order.changed(
        state=State.CLAIMED,
        crew=best.crew,
        claimed_by="optimizer",
        offer=None,
        clocks=clocks.stop(order.clocks, "hand_down", tx.now),
    )
    await tx.orders.save(held)
    await tx.crews.add_load({best.crew: 1})
    given = {"crew": best.crew, "by": "optimizer", "reason": why}
    tx.record(Event.of_order("order.assigned", held, actor=ACTOR, given=given, **members))
    return True


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
