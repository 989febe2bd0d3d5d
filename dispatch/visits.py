"""Step 8: on the way, at the door, done. What a crew says of an order that it holds, each word once.

Arrival needs place and time: two fixes within `NEAR_M` of the place, received at least `DWELL` apart, or a
dispatcher's word; without them it is taken all the same, and flagged `unverified`. The phone's time is kept beside
the server's and trusted for nothing. A suspension pauses the clocks for a listed reason with evidence: something
measured, written or photographed, or an arrival that was proved. Without either they go on.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from crew_client.protocol import Evidence, HandBack, Location, Progress, ProgressAck
from dispatch import clocks, offers
from dispatch.city import City
from dispatch.crews import Crew
from dispatch.events import Event
from dispatch.orders import PROGRESS, WITH_CREW, Order, State
from geo import distance_m

if TYPE_CHECKING:
    from dispatch.store import Tx

NEAR_M = 150.0
DWELL = timedelta(seconds=5)
JITTER = timedelta(milliseconds=500)
"""How much later than its successor a fix may have travelled to us."""
TRACK = timedelta(minutes=15)
REASONS_IN_WORDS = {
    "resident_absent": ("resident_absent", "不在家", "not at home"),
    "waiting_part": ("waiting_part", "等配件", "waiting for a part"),
    "waiting_utility": ("waiting_utility", "等其他单位", "waiting for another utility"),
}
"""What names a listed reason in the note of a phone that knows no `reason`: the public contract has none."""


def at_the_door(place: Location | None, fixes: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether the fixes, oldest first, prove a stay at the place.

    The last two fixes at least `DWELL` apart must lie within `NEAR_M`, and none between them outside: one stray fix is
    no arrival, and neither is driving past and being far away again when the word is given.
    """
    if place is None:
        return False
    since: datetime | None = None
    stayed = False
    for fix in fixes:
        if distance_m(fix["lon"], fix["lat"], place.lon, place.lat) > NEAR_M:
            since, stayed = None, False
        elif since is None:
            since = fix["received_at"]
        elif fix["received_at"] - since >= DWELL - JITTER:
            stayed = True
    return stayed


def listed_reason(word: Progress) -> str | None:
    """Return the listed reason of a suspension: its `reason`, else the one that its note names, None for none."""
    if word.reason is not None or word.evidence is None or word.evidence.note is None:
        return word.reason
    note = word.evidence.note.casefold()
    named = [reason for reason, phrases in REASONS_IN_WORDS.items() if any(phrase in note for phrase in phrases)]
    return named[0] if len(named) == 1 else None


def shows_something(evidence: Evidence | None) -> bool:
    """Return whether anything was measured, written or photographed."""
    if evidence is None:
        return False
    written = (evidence.note, evidence.photo)
    return evidence.temperature_c is not None or any(text is not None and bool(text.strip()) for text in written)


def _was_proved(order: Order) -> bool:
    return order.state is State.ARRIVED and not order.unverified


async def report_progress(tx: "Tx", crew_id: str, word: Progress, *, city: City) -> ProgressAck:
    """Take a crew's word on an order that it holds; the same message id gets the same answer."""
    if (known := await tx.crews.known_command(crew_id, word.id)) is not None:
        return _repeat(known, word.id, word.order, word.to)
    crew = await tx.crews.lock_one(crew_id)
    order = (await tx.orders.lock([word.order])).get(word.order)
    if (known := await tx.crews.known_command(crew_id, word.id)) is not None:
        return _repeat(known, word.id, word.order, word.to)
    answer = await _take(tx, crew, order, word, city)
    await tx.crews.insert_command(
        crew_id, word.id, kind=word.to, order_id=word.order, device_at=word.at, now=tx.now, answer=answer
    )
    return answer


def _repeat(known: Mapping[str, Any], message_id: str, order_id: str, kind: str) -> ProgressAck:
    if known["order_id"] != order_id or known["kind"].partition(":")[0] != kind:
        return ProgressAck(message_id, order_id, error="id_reused", detail="this id named another command before")
    return msgspec.json.decode(known["answer"], type=ProgressAck)


async def _take(tx: "Tx", crew: Crew, order: Order | None, word: Progress, city: City) -> ProgressAck:
    if order is None:
        return ProgressAck(word.id, word.order, error="unknown_order", detail="no such order in this city")
    to = State(word.to)
    if order.crew != crew.id or order.state not in WITH_CREW | {State.SUSPENDED, State.RESOLVED}:
        return ProgressAck(word.id, word.order, error="not_yours", detail=f"the order is {order.state.value}")
    if order.state is to:
        return ProgressAck(word.id, word.order, state=word.to, unverified=order.unverified)
    if order.state not in PROGRESS[to]:
        detail = f"from {order.state.value} an order cannot become {to.value}"
        return ProgressAck(word.id, word.order, error="not_possible", detail=detail)
    moved, notes = await _moved(tx, crew, order, word, city)
    await tx.orders.save(moved)
    load = (moved.state in WITH_CREW) - (order.state in WITH_CREW)
    await tx.crews.add_load({crew.id: load})
    tx.record(
        Event.of_order(
            f"order.{to.value}",
            moved,
            actor=f"crew:{crew.id}",
            device_at=word.at,
            evidence=word.evidence,
            **notes,
        )
    )
    return ProgressAck(word.id, word.order, state=word.to, unverified=moved.unverified)


async def _moved(tx: "Tx", crew: Crew, order: Order, word: Progress, city: City) -> tuple[Order, dict[str, Any]]:
    """Return the order as the word makes it, and what the event says beside."""
    to = State(word.to)
    running = clocks.resume(order.clocks, tx.now) if order.state is State.SUSPENDED else order.clocks
    if to is State.SUSPENDED:
        reason = listed_reason(word)
        if reason is None or not (shows_something(word.evidence) or _was_proved(order)):
            return order.changed(state=to), {"reason": reason, "clocks_paused": False}
        return order.changed(state=to, clocks=clocks.pause(running, tx.now, reason)), {
            "reason": reason,
            "clocks_paused": True,
        }
    if to is State.ARRIVED:
        proved = at_the_door(order.location, await tx.crews.fixes_since(crew.id, tx.now - TRACK))
        return order.changed(state=to, clocks=clocks.stop(running, "arrival", tx.now), unverified=not proved), {
            "unverified": not proved
        }
    if to is State.RESOLVED:
        stopped = clocks.stop(running, "resolve", tx.now)
        heard_by = clocks.start(stopped, ("call_back",), tx.now, severity=order.severity, targets=city.targets)
        return order.changed(state=to, clocks=heard_by), {"without_evidence": word.evidence is None}
    return order.changed(state=to, clocks=running), {}


async def hand_back(tx: "Tx", crew_id: str, word: HandBack, *, city: City, crews: Collection[Crew]) -> ProgressAck:
    """Take an order back from a crew that cannot do it and open it to the others; once for each message id."""
    crew = await tx.crews.lock_one(crew_id)
    order = (await tx.orders.lock([word.order])).get(word.order)
    if (known := await tx.crews.known_command(crew_id, word.id)) is not None:
        return _repeat(known, word.id, word.order, "hand_back")
    if order is None:
        answer = ProgressAck(word.id, word.order, error="unknown_order", detail="no such order in this city")
    elif order.crew != crew.id or order.state not in WITH_CREW | {State.SUSPENDED}:
        answer = ProgressAck(word.id, word.order, error="not_yours", detail=f"the order is {order.state.value}")
    else:
        answer = await _reopen(tx, crew, order, word, city, crews)
    await tx.crews.insert_command(
        crew_id, word.id, kind="hand_back", order_id=word.order, device_at=word.at, now=tx.now, answer=answer
    )
    return answer


async def _reopen(
    tx: "Tx", crew: Crew, order: Order, word: HandBack, city: City, crews: Collection[Crew]
) -> ProgressAck:
    free, circle = offers.opened_without(order, crew.id, crews, city, now=tx.now)
    free = msgspec.structs.replace(free, version=order.version + 1)
    await tx.orders.save(free)
    if order.state in WITH_CREW:
        await tx.crews.add_load({crew.id: -1})
    lost = {"crew": crew.id, "by": "crew", "reason": word.reason}
    actor = f"crew:{crew.id}"
    tx.record(Event.of_order("order.handed_back", free, actor=actor, device_at=word.at, reason=word.reason, lost=lost))
    if circle is not None:
        await offers.announce(tx, free, circle, actor=actor)
    return ProgressAck(word.id, word.order, state=free.state.value)


async def decline(
    tx: "Tx", crew_id: str, message_id: str, order_id: str, reason: str | None, *, city: City
) -> tuple[ProgressAck, bool]:
    """Keep a crew's no to an offer; also return whether everybody has answered now.

    A bid of it that has no verdict yet is taken back: it ends as `closed`.
    """
    order = (await tx.orders.lock([order_id])).get(order_id)
    if order is None:
        return ProgressAck(message_id, order_id, error="unknown_order", detail="no such order in this city"), False
    if (known := await tx.crews.known_command(crew_id, message_id)) is not None:
        return _repeat(known, message_id, order_id, "decline"), False
    answer = ProgressAck(message_id, order_id, state=order.state.value)
    open_now = order.state is State.OFFERED
    await tx.crews.insert_command(
        crew_id,
        message_id,
        # The no is to this cycle alone; one that came late is kept too, so that its copies are none to a later cycle.
        kind=f"decline:{order.cycle}" if open_now else "decline",
        order_id=order_id,
        device_at=None,
        now=tx.now,
        answer=answer,
    )
    if open_now:
        back = await tx.crews.settle_bids(order, winner=None, reason="closed", of=crew_id)
        members: dict[str, Any] = {"bids": back} if back else {}
        tx.record(
            Event.of_order("order.declined", order, actor=f"crew:{crew_id}", by=crew_id, reason=reason, **members)
        )
    complete = (
        order.offer is not None and order.offer.mode == "sealed" and await offers.everybody_answered(tx, order, city)
    )
    return answer, complete
