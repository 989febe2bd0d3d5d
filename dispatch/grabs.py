"""Step 4: who gets it. Grabs are judged in batches, under row locks, and committed together with their answers.

A batch is one transaction: lock the crews, lock the orders, judge each grab by `verdicts.judge`, write the winners by
a condition on state and version, keep every verdict under the crew's own message id, append the events. So the same
message gets the same verdict on any socket, any worker, and after a crash: the answer is committed with the claim.

In mode `first` the first grab judged wins. In mode `sealed` a grab is a bid; when the window closes, or as soon as
everybody who may grab the order has answered, `verdicts.choose` takes the earliest predicted arrival, so that a
plug-in that grabs in milliseconds gains nothing over the man next door.

Promises: a cycle has at most one winner; nobody is told that he won before it is durable; a verdict never changes.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from math import inf, isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec import Struct

from crew_client.protocol import GrabReason, GrabResult, Location
from dispatch import clocks
from dispatch.city import City
from dispatch.consequences import foresee
from dispatch.crews import Crew
from dispatch.events import Event
from dispatch.offers import everybody_answered, window_end
from dispatch.orders import Order, State, Terms
from dispatch.store import TryAgain, Win
from dispatch.store.crews import GrabRow
from dispatch.verdicts import BID, Bid, Decision, choose, judge
from geo import TravelTimes, distance_m

if TYPE_CHECKING:
    from crew_client.protocol import PublicOrder
    from dispatch.mirror import Own
    from dispatch.store import Tx

NOBODY: Mapping[str, Crew] = {}


def empty_handed(_: str) -> Iterable["PublicOrder"]:
    """Return what a crew holds of which nothing is known: nothing."""
    return ()


class Ask(Struct, frozen=True):
    """A crew's grab as it came in. `refused` is a verdict that the engine knew from memory, to be kept all the same."""

    crew: str
    message: str
    order: str
    refused: GrabReason | None = None


class Acked(Struct, frozen=True):
    """The bid is in and durable; the verdict follows after `closes_at`, or at once where everybody has answered."""

    message: str
    order: str
    closes_at: datetime
    complete: bool = False


class MessageReused(Struct, frozen=True):
    """The crew used the id of an earlier grab for another order."""

    message: str
    order: str
    earlier_order: str


Answer = GrabResult | Acked | MessageReused


class Held(NamedTuple):
    """An order that a crew holds since just now."""

    order: str
    version: int
    cycle: int
    crew: str


class Judged(Struct, frozen=True):
    """What became of a batch: an answer for each ask, and which orders were `claimed` by it just now.

    `own` has its events where they can be told without reading them back from the log.
    """

    answers: list[Answer]
    claimed: list[Held]
    own: "Sequence[Own]" = ()


def claimed(order: Order, crew_id: str, now: datetime) -> Order:
    """Return the order as the crew that grabbed it holds it."""
    return order.changed(
        state=State.CLAIMED,
        crew=crew_id,
        claimed_by="grab",
        offer=None,
        clocks=clocks.stop(order.clocks, "hand_down", now),
    )


async def judge_batch(
    tx: "Tx",
    asks: Sequence[Ask],
    city: City,
    *,
    fresh: bool = False,
    seen: Mapping[str, Crew] = NOBODY,
    held_by: Callable[[str], Iterable["PublicOrder"]] = empty_handed,
) -> Judged:
    """Judge grabs together; the answers stand in the order of the asks.

    In one batch each crew asks at most once. Of several grabs of a `first` order the first in the batch wins.
    `seen` are crews as the engine's memory has them: their newest fixes are there before they are written. `held_by`
    says what a crew holds, also by memory: a bid's arrival is predicted after what its crew would do first.
    `fresh` says that the messages are likely new: whether they are is then seen when their verdicts are written, and
    where one is not, `TryAgain` is raised and nothing was done. Ask again without it.
    """
    live = [ask for ask in asks if ask.refused is None]
    crews = await tx.crews.lock([ask.crew for ask in live]) if live else {}
    orders = await tx.orders.lock([ask.order for ask in live]) if live else {}
    known = {} if fresh else await tx.crews.known_grabs([(ask.crew, ask.message) for ask in asks])

    travel = city.travel_at(tx.now)
    answers: dict[tuple[str, str], Answer] = {}
    rows: list[GrabRow] = []
    won: dict[int, Win] = {}
    held: list[Held] = []
    bid_for: dict[str, Order] = {}
    for ask in asks:
        key = (ask.crew, ask.message)
        order = orders.get(ask.order)
        earlier = known.get(key)
        if earlier is not None:
            answers[key] = _again(ask, earlier, order, tx.now)
            continue
        crew = crews.get(ask.crew)
        verdict = ask.refused or judge(order, crew)
        eta = distance = None
        if verdict in ("won", BID) and order is not None and crew is not None:
            placed = crew.placed_as(seen.get(crew.id))
            eta, distance = arrival(order.location, placed, travel)
            if verdict == BID:
                if placed.load and eta is not None:
                    eta = _after_work(order, placed, held_by(crew.id), city, tx.now) or eta
                bid_for[order.id] = order
                answers[key] = Acked(ask.message, ask.order, window_end(order.offer, tx.now))  # type: ignore[arg-type]
            elif order.state is State.OFFERED:
                orders[order.id] = order = claimed(order, ask.crew, tx.now)
                won[len(rows)] = Win(order, _event(order), crew.revision)
                held.append(Held(order.id, order.version, order.cycle, crew.id))
        if verdict != BID:
            answers[key] = GrabResult(ask.message, ask.order, verdict == "won", verdict)
        cycle = order.cycle if order else 0
        rows.append(
            GrabRow(ask.crew, ask.message, ask.order, cycle, eta, distance, None if verdict == BID else verdict)
        )
    if won:
        settled = await tx.settle(rows, won)
        assert settled.claimed, "an order or a crew under lock changed"
        answered = settled.answered
    else:
        answered = await tx.crews.insert_grabs(tx.now, rows) if rows else 0
    if answered < len(rows):
        raise TryAgain  # the same message was judged before, or is being judged elsewhere: look at its answer
    for order in bid_for.values():
        if await everybody_answered(tx, order, city):
            for key, answer in answers.items():
                if isinstance(answer, Acked) and answer.order == order.id:
                    answers[key] = Acked(answer.message, answer.order, answer.closes_at, complete=True)
    return Judged([answers[(ask.crew, ask.message)] for ask in asks], held)


def _event(order: Order) -> Event:
    """Return the event of a grab that won in mode `first`."""
    return Event.of_order("order.claimed", order, actor=f"crew:{order.crew}", **closed_by_grab(order.cycle))


def closed_by_grab(cycle: int) -> dict[str, Any]:
    """Return the members that say in an event that a grab ended the offer of a cycle in mode `first`."""
    return {"mode": "first", "closed": {"reason": "taken", "cycle": cycle}}


def _again(ask: Ask, earlier: GrabRow, order: Order | None, now: datetime) -> Answer:
    """Return the answer to a message that came before: its verdict, or that its bid is still in."""
    if earlier.order != ask.order:
        return MessageReused(ask.message, ask.order, earlier.order)
    if earlier.reason is not None:
        return GrabResult(ask.message, ask.order, earlier.reason == "won", earlier.reason)  # type: ignore[arg-type]
    closes_at = window_end(order.offer, now) if order and order.offer else now
    return Acked(ask.message, ask.order, closes_at)


def arrival(place: Location | None, crew: Crew, travel: TravelTimes) -> tuple[float | None, float | None]:
    """Return the predicted seconds and the metres that a crew is away from a place, None where one is not known."""
    at = crew.position
    if place is None or at is None:
        return None, None
    eta = travel.seconds(at.lon, at.lat, place.lon, place.lat)
    return eta if isfinite(eta) else None, round(distance_m(at.lon, at.lat, place.lon, place.lat), 1)


def _after_work(order: Order, crew: Crew, held: Iterable["PublicOrder"], city: City, now: datetime) -> float | None:
    """Return in how many seconds a crew is at the door after what it would do first; None where that has no place."""
    service = city.forecasts.service
    return foresee(
        order.public(),
        crew,
        list(held),
        travel=city.travel_at(now),
        service_s=lambda each: service.of(each.category, each.severity).median_s,
        now=now,
    ).arrives_s


async def close_window(tx: "Tx", order_id: str, *, city: City | None = None) -> bool:
    """Judge the bids of a sealed window that is over or, given the `city`, that everybody there has answered.

    Return whether somebody has the order now. Only the likely winner is locked, before the order: where the look
    without locks had another winner than the look under them, the step is run again.
    """
    seen = await tx.orders.find(order_id)
    if seen.offer is None or seen.offer.mode != "sealed":
        return False
    likely = await _decide(tx, seen, {})
    locked = await tx.crews.lock([likely.winner]) if likely.winner else {}
    order = await tx.orders.lock_one(order_id)
    if order.offer is None or order.offer.mode != "sealed" or order.cycle != seen.cycle:
        return False
    over = order.offer.closes_at <= tx.now if city is None else await everybody_answered(tx, order, city)
    if not over:
        return False
    decision = await _decide(tx, order, locked)
    if decision.winner is None:
        if decision.unfit:
            bids = await tx.crews.settle_bids(order, winner=None, reason="not_eligible", reasons=decision.unfit)
            changed = order.changed(offer=_next_window(order, tx.now))
            await tx.orders.save(changed)
            tx.record(Event.of_order("order.bids_refused", changed, actor="system:offers", bids=bids))
        else:
            terms = _next_window(order, tx.now)
            await tx.orders.reschedule(order, offer_due_at=terms.due_at, assign_at=terms.assign_at)
        return False
    if decision.winner not in locked:
        raise TryAgain
    bids = await tx.crews.settle_bids(order, winner=decision.winner, reason="outbid", reasons=decision.unfit)
    held = claimed(order, decision.winner, tx.now)
    await tx.orders.save(held)
    await tx.crews.add_load({decision.winner: 1})
    tx.record(
        Event.of_order(
            "order.claimed",
            held,
            actor=f"crew:{decision.winner}",
            mode="sealed",
            decision=decision,
            bids=bids,
            closed={"reason": "taken", "cycle": held.cycle},
        )
    )
    return True


def _next_window(order: Order, now: datetime) -> Terms:
    assert order.offer is not None
    return msgspec.structs.replace(order.offer, closes_at=window_end(order.offer, now))


async def _decide(tx: "Tx", order: Order, locked: Mapping[str, Crew]) -> Decision:
    assert order.offer is not None
    rows = await tx.crews.open_bids(order)
    crews: Mapping[str, Crew] = {**await tx.crews.find([row["crew_id"] for row in rows]), **locked}
    bids = [
        Bid(row["crew_id"], row["message_id"], inf if (eta := row["eta_s"]) is None else eta, row["at"]) for row in rows
    ]
    return choose(order, bids, crews, tie_s=order.offer.tie_s, now=tx.now)


def complete(answers: Collection[Answer]) -> set[str]:
    """Return the orders whose sealed window can be judged at once."""
    return {answer.order for answer in answers if isinstance(answer, Acked) and answer.complete}
