"""Step 6: a dispatcher says otherwise, and that is final: it wins against a grab, a plan and a stale phone.

Each override is one transaction: the order by its version, the crews' loads, the audit row with the order as it was
before, the event. The crew that loses the order, and the one that gets it, are told through the log. What an action
does to an order is a small function in `_DO`; everything around it is the same for all.
"""

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from dispatch import clocks, offers
from dispatch.city import City
from dispatch.crews import Candidate, Crew
from dispatch.errors import Impossible, Invalid, NotFound, StaleVersion
from dispatch.events import Event
from dispatch.intake import Place
from dispatch.orders import OPEN, WITH_CREW, Order, State, require
from dispatch.store import TryAgain

if TYPE_CHECKING:
    from dispatch.store import Tx

Action = Literal[
    "assign",
    "revoke",
    "hold",
    "release",
    "offer",
    "reprioritize",
    "move",
    "merge",
    "unmerge",
    "transfer",
    "cancel",
    "pause",
    "resume",
    "confirm_arrival",
    "close",
    "undo",
]
Id = Annotated[str, Meta(min_length=1, max_length=64)]
UNDOABLE = frozenset(
    {"assign", "revoke", "hold", "release", "offer", "reprioritize", "move", "merge", "transfer", "cancel"}
)


class OverrideIn(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a dispatcher does to an order, and why. `version` is the one that he saw; left out, the newest counts."""

    action: Action
    reason: Annotated[str, Meta(min_length=1, max_length=2000)]
    version: int | None = None
    crew: Id | None = None
    severity: Annotated[int, Meta(ge=1, le=5)] | None = None
    location: Place | None = None
    into: Id | None = None
    to: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    pause_reason: Literal["resident_absent", "waiting_part", "waiting_utility"] | None = None


NEEDS = {
    "assign": "crew",
    "reprioritize": "severity",
    "move": "location",
    "merge": "into",
    "transfer": "to",
    "pause": "pause_reason",
}
"""The field that an action cannot do without."""

PAST = {
    "assign": "order.assigned",
    "revoke": "order.revoked",
    "hold": "order.held",
    "release": "order.released",
    "offer": "order.reopened",
    "reprioritize": "order.reprioritized",
    "move": "order.moved",
    "merge": "order.merged",
    "unmerge": "order.unmerged",
    "transfer": "order.transferred",
    "cancel": "order.cancelled",
    "pause": "order.paused",
    "resume": "order.resumed",
    "confirm_arrival": "order.arrived",
    "close": "order.closed",
    "undo": "order.restored",
}
"""The event of each action."""


class Desk(Struct, frozen=True):
    """What an action may look at: the word itself, the city, its crews, other orders and the audit row concerned."""

    word: OverrideIn
    city: City
    crews: Collection[Crew]
    tx: "Tx"
    other: Order | None = None
    before: Order | None = None
    merged: Collection[str] = ()


class Outcome(Struct, frozen=True):
    """The order after an action, and the circle that it is offered to where the action opened it."""

    order: Order
    circle: list[Candidate] | None = None


def check(word: OverrideIn) -> None:
    """Raise `Invalid` where the word lacks the field that its action needs, or gives no reason."""
    needed = NEEDS.get(word.action)
    if needed and getattr(word, needed) is None:
        raise Invalid.field(f"/{needed}", f"{word.action} needs it")
    if not word.reason.strip():
        raise Invalid.field("/reason", "say why; it is kept")


async def override(
    tx: "Tx", order_id: str, word: OverrideIn, *, actor: str, override_id: str, city: City, crews: Collection[Crew]
) -> Order:
    """Do what a dispatcher says to an order.

    Raises `NotFound`, `StaleVersion` with the current order, `Impossible` with the reason, `Invalid` with the field.
    """
    check(word)
    seen = await tx.orders.find(order_id)
    undone = await _last_of(tx, seen, actor) if word.action == "undo" else None
    before = msgspec.json.decode(undone["before"], type=Order) if undone else None
    concerned = {crew for crew in (seen.crew, word.crew, before.crew if before else None) if crew}
    locked = await tx.crews.lock(sorted(concerned)) if concerned else {}
    orders = await tx.orders.lock(sorted({order_id, word.into or order_id}))
    order = orders[order_id]
    if order.crew is not None and order.crew not in locked:
        raise TryAgain
    if word.version is not None and word.version != order.version:
        raise StaleVersion(
            f"order {order_id} is at version {order.version} now, you saw {word.version}",
            extra={"order": order.public()},
        )
    require(order, word.action)
    if word.crew is not None and word.crew not in locked:
        raise NotFound(f"no crew {word.crew} in this city")
    if word.into is not None and word.into not in orders:
        raise NotFound(f"no order {word.into} in this city")
    merged = await tx.orders.merged_into(order_id) if word.action == "cancel" else ()
    desk = Desk(word, city, crews, tx, other=orders.get(word.into or ""), before=before, merged=merged)
    outcome = _DO[word.action](order, desk)
    changed = msgspec.structs.replace(outcome.order, version=order.version + 1)
    members = await _aftermath(tx, order, changed, word, locked)
    if (changed.zone, changed.location) != (order.zone, order.location):
        members["left"] = {"zone": order.zone, "location": order.location}
    await tx.orders.save(changed)
    tx.record(
        Event.of_order(PAST[word.action], changed, actor=actor, action=word.action, reason=word.reason, **members)
    )
    if outcome.circle is not None:
        await offers.announce(tx, changed, outcome.circle, actor=actor)
    await tx.orders.insert_override(
        override_id, order, actor=actor, action=word.action, reason=word.reason, body=word, version=changed.version
    )
    if undone is not None:
        await tx.orders.mark_undone(undone["override_id"])
    return changed


async def _aftermath(
    tx: "Tx", order: Order, changed: Order, word: OverrideIn, locked: Mapping[str, Crew]
) -> dict[str, Any]:
    """Settle the old offer and the loads; return what the event must tell the crews concerned."""
    members: dict[str, Any] = {}
    if order.state is State.OFFERED and (changed.state is not State.OFFERED or changed.cycle != order.cycle):
        reason = "assigned" if changed.crew else "expired" if changed.state is State.OFFERED else "withdrawn"
        members |= await offers.close(tx, order, reason)
    deltas: dict[str, int] = {}
    if order.crew and order.state in WITH_CREW:
        deltas[order.crew] = -1
    if changed.crew and changed.state in WITH_CREW:
        deltas[changed.crew] = deltas.get(changed.crew, 0) + 1
    await tx.crews.add_load({crew: delta for crew, delta in deltas.items() if crew in locked})
    if order.crew and changed.crew != order.crew and order.state in WITH_CREW | {State.SUSPENDED}:
        members["lost"] = {"crew": order.crew, "by": "dispatcher", "reason": word.reason}
    if changed.crew and changed.crew != order.crew and changed.state in WITH_CREW:
        members["given"] = {"crew": changed.crew, "by": "dispatcher", "reason": word.reason}
    return members


async def _last_of(tx: "Tx", order: Order, actor: str) -> Any:
    """Return the last override of an order, which `actor` may take back, or raise `Impossible`."""
    last = await tx.orders.last_override(order.id)
    if last is None or last["action"] not in UNDOABLE:
        raise Impossible("there is no override to undo")
    if last["actor"] != actor:
        raise Impossible("the last override is another dispatcher's; only he can undo it")
    since = await tx.orders.changed_since(order.id, last["version"])
    if since:
        raise Impossible(f"too late to undo: {since} came after it")
    return last


def _opened(order: Order, desk: Desk, *, excluded: tuple[str, ...] = ()) -> Outcome:
    if order.location is None:
        unplaced = msgspec.structs.replace(
            order, state=State.UNZONED, crew=None, claimed_by=None, offer=None, excluded=excluded
        )
        return Outcome(unplaced)
    opened, circle = offers.opened(order, desk.crews, desk.city, now=desk.tx.now, excluded=excluded)
    return Outcome(opened, circle)


def _without_crew(order: Order, desk: Desk) -> Order:
    return offers.taken_back(order, desk.tx.now)


def _assign(order: Order, desk: Desk) -> Outcome:
    if order.crew == desk.word.crew and order.state in WITH_CREW:
        raise Impossible(f"crew {order.crew} holds the order already")
    running = clocks.resume(order.clocks, desk.tx.now)
    return Outcome(
        msgspec.structs.replace(
            order,
            state=State.CLAIMED,
            crew=desk.word.crew,
            claimed_by="dispatcher",
            offer=None,
            transferred_to=None,
            clocks=clocks.stop(clocks.stop(running, "hand_down", desk.tx.now), "transfer", desk.tx.now),
        )
    )


def _revoke(order: Order, desk: Desk) -> Outcome:
    return Outcome(*offers.opened_without(order, order.crew, desk.crews, desk.city, now=desk.tx.now))


def _ended_transfer(order: Order, desk: Desk) -> Order:
    return msgspec.structs.replace(
        order, transferred_to=None, clocks=clocks.stop(order.clocks, "transfer", desk.tx.now)
    )


def _hold(order: Order, desk: Desk) -> Outcome:
    free = _ended_transfer(_without_crew(order, desk), desk)
    return Outcome(msgspec.structs.replace(free, state=State.HELD, offer=None))


def _release(order: Order, desk: Desk) -> Outcome:
    free = offers.placed(_ended_transfer(_without_crew(order, desk), desk), desk.city)
    if free.zone is None:
        return Outcome(msgspec.structs.replace(free, state=State.UNZONED))
    return _opened(free, desk)


def _offer(order: Order, desk: Desk) -> Outcome:
    if order.location is None:
        raise Impossible("the order has no place; move it to one first, or assign it")
    return _opened(_ended_transfer(_without_crew(order, desk), desk), desk)


def _reprioritize(order: Order, desk: Desk) -> Outcome:
    severity = desk.word.severity or order.severity
    renewed = clocks.retarget(order.clocks, desk.tx.now, severity=severity, targets=desk.city.targets)
    return Outcome(msgspec.structs.replace(order, severity=severity, clocks=renewed))


def _move(order: Order, desk: Desk) -> Outcome:
    assert desk.word.location is not None
    place = desk.word.location.location()
    moved = msgspec.structs.replace(order, location=place, zone=desk.city.locate(place))
    if order.state not in (State.OFFERED, State.UNZONED):
        return Outcome(moved)
    if moved.zone is None:
        return Outcome(msgspec.structs.replace(moved, state=State.UNZONED, offer=None))
    return _opened(moved, desk, excluded=order.excluded)


def _merge(order: Order, desk: Desk) -> Outcome:
    into = desk.other
    if into is None or into.id == order.id:
        raise Invalid.field("/into", "an order cannot be merged into itself")
    if into.state not in OPEN:
        raise Impossible(f"order {into.id} is {into.state.value}; merge into an open one")
    return Outcome(
        msgspec.structs.replace(
            order,
            state=State.MERGED,
            crew=None,
            claimed_by=None,
            offer=None,
            merged_into=into.id,
            incident=into.incident or into.id,
            clocks=clocks.abandon(order.clocks, desk.tx.now),
        )
    )


def _unmerge(order: Order, desk: Desk) -> Outcome:
    alone = msgspec.structs.replace(
        order, state=State.UNZONED, merged_into=None, incident=None, clocks=clocks.revive(order.clocks)
    )
    alone = offers.placed(_without_crew(alone, desk), desk.city)
    return _opened(alone, desk) if alone.zone is not None else Outcome(alone)


def _transfer(order: Order, desk: Desk) -> Outcome:
    free = _without_crew(order, desk)
    started = clocks.start(free.clocks, ("transfer",), desk.tx.now, severity=order.severity, targets=desk.city.targets)
    return Outcome(
        msgspec.structs.replace(free, state=State.TRANSFERRED, offer=None, transferred_to=desk.word.to, clocks=started)
    )


def _cancel(order: Order, desk: Desk) -> Outcome:
    if desk.merged:
        raise Impossible(f"{', '.join(desk.merged)} went into it, and nobody would come for them; unmerge them first")
    return Outcome(
        msgspec.structs.replace(
            order,
            state=State.CANCELLED,
            crew=None,
            claimed_by=None,
            offer=None,
            clocks=clocks.abandon(order.clocks, desk.tx.now),
        )
    )


def _pause(order: Order, desk: Desk) -> Outcome:
    paused = clocks.pause(order.clocks, desk.tx.now, desk.word.pause_reason or "")
    if paused == order.clocks:
        raise Impossible("no clock of the order is running")
    return Outcome(msgspec.structs.replace(order, clocks=paused))


def _resume(order: Order, desk: Desk) -> Outcome:
    resumed = clocks.resume(order.clocks, desk.tx.now)
    if resumed == order.clocks:
        raise Impossible("no clock of the order is paused")
    return Outcome(msgspec.structs.replace(order, clocks=resumed))


def _confirm_arrival(order: Order, desk: Desk) -> Outcome:
    stopped = clocks.stop(order.clocks, "arrival", desk.tx.now)
    return Outcome(msgspec.structs.replace(order, state=State.ARRIVED, unverified=False, clocks=stopped))


def _close(order: Order, desk: Desk) -> Outcome:
    stopped = clocks.stop(order.clocks, "call_back", desk.tx.now)
    return Outcome(msgspec.structs.replace(order, state=State.CLOSED, clocks=stopped))


def _undo(order: Order, desk: Desk) -> Outcome:
    """Put the order back as it was; an offer that was open is opened anew, in a new cycle."""
    assert desk.before is not None
    back = msgspec.structs.replace(desk.before, cycle=order.cycle, offer=None)
    if desk.before.state is State.OFFERED:
        return _opened(back, desk, excluded=desk.before.excluded)
    return Outcome(back)


_DO: dict[str, Callable[[Order, Desk], Outcome]] = {
    "assign": _assign,
    "revoke": _revoke,
    "hold": _hold,
    "release": _release,
    "offer": _offer,
    "reprioritize": _reprioritize,
    "move": _move,
    "merge": _merge,
    "unmerge": _unmerge,
    "transfer": _transfer,
    "cancel": _cancel,
    "pause": _pause,
    "resume": _resume,
    "confirm_arrival": _confirm_arrival,
    "close": _close,
    "undo": _undo,
}
