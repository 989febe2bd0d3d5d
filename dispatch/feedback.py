"""Step 10: the resident is heard. A good word closes the order, "not resolved" opens it again.

The service score is a moving mean of the stars, scaled to 0..1; it decides near ties between bidders. Each visit counts
once: a resident who thinks again is heard, and his last word takes the place of the former. All of them are kept.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta, Struct

from dispatch import clocks, offers
from dispatch.city import City
from dispatch.crews import Crew
from dispatch.errors import Impossible
from dispatch.events import Event
from dispatch.orders import Order, State

if TYPE_CHECKING:
    from dispatch.store import Tx
    from dispatch.store.orders import StandingRating

WEIGHT = 0.1
"""How much the newest rating counts."""

AT_REOPENING: tuple[clocks.ClockName, ...] = ("hand_down", "arrival")
"""The clocks that begin anew as a resident says that it is still cold."""


class RatingIn(Struct, frozen=True, forbid_unknown_fields=True):
    """What the resident says of the visit."""

    stars: Annotated[int, Meta(ge=1, le=5)]
    resolved: bool
    comment: Annotated[str, Meta(max_length=4000)] | None = None


async def rate(tx: "Tx", order_id: str, rating: RatingIn, *, actor: str, city: City, crews: Collection[Crew]) -> Order:
    """Keep a rating of a resolved or closed order; raise `Impossible` for one that nobody has resolved yet.

    Of what he says of one visit the last word counts, and alone moves the score of the crew that was there.
    """
    seen = await tx.orders.find(order_id)
    locked = await tx.crews.lock([seen.crew]) if seen.crew else {}
    order = await tx.orders.lock_one(order_id)
    if order.state not in (State.RESOLVED, State.CLOSED):
        raise Impossible(f"order {order.id} is {order.state.value}; only a resolved one can be rated")
    former = await tx.orders.standing_rating(order)
    await tx.orders.insert_rating(
        order,
        actor=actor,
        stars=rating.stars,
        comment=rating.comment,
        resolved=rating.resolved,
        amends=former is not None,
    )
    if crew := locked.get(order.crew or ""):
        await tx.crews.set_score(crew.id, scored(crew.score, rating.stars, former))
    heard = order.changed(clocks=clocks.stop(order.clocks, "call_back", tx.now))
    if rating.resolved:
        return await _close(tx, heard, rating, actor)
    return await _reopen(tx, heard, rating, actor, city, crews)


def scored(score: float, stars: int, former: "StandingRating | None" = None) -> float:
    """Return a crew's score after a word about a visit of his.

    With a `former` word it is what it would be, had the resident said this in the first place: of a moving mean, what
    one value makes up fades by `1 - WEIGHT` with each that came since.
    """
    if former is None:
        score += WEIGHT * ((stars - 1) / 4 - score)
    else:
        score += WEIGHT * (1 - WEIGHT) ** former.rated_since * (stars - former.stars) / 4
    return round(min(max(score, 0.0), 1.0), 6)


async def _close(tx: "Tx", order: Order, rating: RatingIn, actor: str) -> Order:
    closed = msgspec.structs.replace(order, state=State.CLOSED)
    await tx.orders.save(closed)
    tx.record(Event.of_order("order.closed", closed, actor=actor, stars=rating.stars))
    return closed


async def _reopen(tx: "Tx", order: Order, rating: RatingIn, actor: str, city: City, crews: Collection[Crew]) -> Order:
    """Open an order again: it must be handed down and reached once more, and be resolved by its old deadline."""
    running = clocks.restart(order.clocks, "resolve", tx.now)
    running = clocks.start(running, AT_REOPENING, tx.now, severity=order.severity, targets=city.targets)
    order = msgspec.structs.replace(order, clocks=running, crew=None, claimed_by=None, unverified=False)
    order = offers.placed(order, city)
    if order.zone is None:
        reopened = msgspec.structs.replace(order, state=State.UNZONED)
        await tx.orders.save(reopened)
        tx.record(Event.of_order("order.reopened", reopened, actor=actor, stars=rating.stars))
        return reopened
    reopened, circle = offers.opened(order, crews, city, now=tx.now)
    await tx.orders.save(reopened)
    tx.record(Event.of_order("order.reopened", reopened, actor=actor, stars=rating.stars))
    await offers.announce(tx, reopened, circle, actor="system:offers")
    return reopened
