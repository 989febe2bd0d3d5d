"""Step 5, where a zone's policy says `replans: "propose"`: a move of told work is proposed, and a person decides.

The planner proposes (`propose`) with what would follow in seconds, and withdraws what its next answer no longer says or
what the city has overtaken (`withdraw`); both are events of the order, so every console sees them. A dispatcher accepts
(`accept`, through the same conditional commit as a move that the machine makes) or dismisses (`dismiss`); what was
dismissed is not proposed again while the same crew holds the order.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

from dispatch import planning
from dispatch.city import City
from dispatch.consequences import Delay, foresee
from dispatch.crews import Crew
from dispatch.errors import Impossible, NotFound
from dispatch.events import Event
from dispatch.orders import Order, State
from dispatch.store.sql import load

if TYPE_CHECKING:
    from dispatch.store import Tx

REPLANS = load("replans")
Overtaken = Literal["begun", "elsewhere", "outdated"]
_WORDS: Mapping[Overtaken, str] = {
    "begun": "the crew has begun the order, or taken it on itself",
    "elsewhere": "the order is no longer with the crew that the plan saw",
    "outdated": "the plan no longer says so",
}


class Replan(Struct, frozen=True):
    """A proposed move of `order` from `crew` to `to`, and the plan's reason.

    Foreseen when it was proposed: `to` is at the door in `arrives_s`, where `crew` needs `instead_of_s`; None where
    that is not known. `delays` has the orders of `to` that come later for it. What somebody has `dismissed` is kept, so
    that it is not proposed again.
    """

    id: str
    order: str
    crew: str
    to: str
    reason: str
    proposed_at: datetime
    arrives_s: float | None = None
    instead_of_s: float | None = None
    delays: tuple[Delay, ...] = ()
    dismissed: bool = False


def replan_of(row: Mapping[str, Any]) -> Replan:
    """Return the proposal that a row holds."""
    return Replan(
        id=row["replan_id"],
        order=row["order_id"],
        crew=row["crew_id"],
        to=row["to_crew_id"],
        reason=row["reason"],
        proposed_at=row["proposed_at"],
        arrives_s=row["arrives_s"],
        instead_of_s=row["instead_of_s"],
        delays=msgspec.json.decode(row["delays"], type=tuple[Delay, ...]),
        dismissed=row["dismissed_at"] is not None,
    )


def with_effect(replan: Replan, crews: Collection[Crew], in_hand: Collection[Order], city: City) -> Replan:
    """Return a proposal with what would follow, as the city stood when it was made. Pure."""
    by_id = {crew.id: crew for crew in crews}
    order = next((order for order in in_hand if order.id == replan.order), None)
    if order is None or replan.crew not in by_id or replan.to not in by_id:
        return replan
    service = city.forecasts.service

    def at(crew_id: str) -> Any:
        return foresee(
            order.public(),
            by_id[crew_id],
            [each.public() for each in in_hand if each.crew == crew_id],
            travel=city.travel_at(replan.proposed_at),
            service_s=lambda each: service.of(each.category, each.severity).median_s,
            now=replan.proposed_at,
        )

    then, now = at(replan.to), at(replan.crew)
    return msgspec.structs.replace(replan, arrives_s=then.arrives_s, instead_of_s=now.arrives_s, delays=then.delays)


def overtaken(replan: Replan, order: Order | None) -> Overtaken | None:
    """Return why a proposal can no longer be done, None while it can."""
    if order is None or order.crew != replan.crew:
        return "elsewhere"
    return None if order.state is State.CLAIMED and order.claimed_by == "optimizer" else "begun"


async def propose(tx: "Tx", replan: Replan) -> bool:
    """Write a proposal down and tell it; return whether it was, which it is not where it is overtaken already."""
    order = await tx.orders.lock_one(replan.order)
    if overtaken(replan, order):
        return False
    row = (replan.order, replan.id, replan.crew, replan.to, replan.reason, replan.arrives_s, replan.instead_of_s)
    delays = msgspec.json.encode(replan.delays).decode()
    await tx.conn.execute(REPLANS["put_replan"], tx.city_id, *row, delays, replan.proposed_at)
    tx.record(Event.of_order("order.replan_proposed", order, actor=planning.ACTOR, replan=replan))
    return True


async def withdraw(tx: "Tx", replan: Replan) -> None:
    """Take a proposal back and say why; one that was dismissed goes without a word."""
    order = await tx.orders.lock_one(replan.order)
    dropped = await tx.conn.fetchrow(REPLANS["drop_replan"], tx.city_id, replan.id)
    if dropped is None or dropped["dismissed_at"] is not None:
        return
    why = overtaken(replan, order) or "outdated"
    tx.record(
        Event.of_order("order.replan_withdrawn", order, actor=planning.ACTOR, replan={"id": replan.id}, reason=why)
    )


async def accept(tx: "Tx", replan_id: str, *, actor: str) -> Order:
    """Move the order as proposed; raise `NotFound`, or `Impossible` with the reason where that cannot be any more."""
    replan = await _undecided(tx, replan_id)
    if not await planning.move(tx, replan.order, replan.crew, replan.to, why=replan.reason, actor=actor):
        why = overtaken(replan, await tx.orders.find(replan.order))
        raise Impossible(f"too late: {_WORDS[why]}" if why else f"crew {replan.to} cannot take the order now")
    if await tx.conn.fetchrow(REPLANS["drop_replan"], tx.city_id, replan.id) is None:
        raise Impossible("somebody else has decided this proposal")
    return await tx.orders.find(replan.order)


async def dismiss(tx: "Tx", replan_id: str, *, actor: str, reason: str | None) -> Replan:
    """Leave the order where it is, and let the same not be proposed again."""
    replan = await _undecided(tx, replan_id)
    order = await tx.orders.lock_one(replan.order)
    if await tx.conn.fetchval(REPLANS["dismiss_replan"], tx.city_id, replan_id, tx.now) is None:
        raise Impossible("somebody else has decided this proposal")
    said = {"id": replan.id, "to": replan.to}
    tx.record(Event.of_order("order.replan_dismissed", order, actor=actor, replan=said, reason=reason))
    return msgspec.structs.replace(replan, dismissed=True)


async def _undecided(tx: "Tx", replan_id: str) -> Replan:
    row = await tx.conn.fetchrow(REPLANS["undecided_replan"], tx.city_id, replan_id)
    if row is None:
        raise NotFound(f"no proposal {replan_id} waits for a word: it was decided, or the city has overtaken it")
    return replan_of(row)
