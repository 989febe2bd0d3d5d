"""Step 4, the straight way: grabs of orders in mode `first` that nobody seems to contest.

The engine's memory shows the order open to the crew, and the crew with room. A batch of such grabs is written at once,
under the condition that each order (state and version) and each crew (shift, load and revision) still are as memory
has them. Where one of them is not, nothing is written, and the batch is judged under locks (`grabs.judge_batch`). So
memory proposes and the database decides, with one statement in the place of three and no row read.

Promise: what it answers is what `grabs.judge_batch` would have answered.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw, Struct

from crew_client.protocol import GrabResult, PublicOrder
from dispatch import clocks
from dispatch.city import City
from dispatch.crews import Crew, obstacles
from dispatch.events import Event, Logged, encode
from dispatch.grabs import Answer, Ask, Held, Judged, arrival, closed_by_grab
from dispatch.mirror import Closed, OrderData, Own
from dispatch.orders import State
from dispatch.store import TryAgain, Win
from dispatch.store.crews import GrabRow

if TYPE_CHECKING:
    from dispatch.mirror import LiveOrder
    from dispatch.store import Tx


CLAIMED = "order.claimed"
OFFERED, CLAIMED_STATE = State.OFFERED.value, State.CLAIMED.value


class Sight(Struct, frozen=True, gc=False):
    """An open order and a crew that may have it, as the engine's memory shows them; neither is locked."""

    order: PublicOrder
    cycle: int
    crew: Crew


def sight(live: "LiveOrder | None", crew: Crew | None) -> Sight | None:
    """Return what a grab can be written on at once, None where it must be judged under locks."""
    if live is None or crew is None or live.mode != "first" or live.order.state != OFFERED:
        return None
    if crew.id not in live.offered or obstacles(live.order, crew, zones=live.zones, excluded=()):
        return None  # who was excluded is not among those to whom it was offered
    return Sight(live.order, live.cycle, crew)


async def claim_batch(tx: "Tx", asks: Sequence[Ask], sights: Mapping[str, Sight], city: City) -> Judged:
    """Write grabs as won, but for those that are `refused` already; the answers stand in the order of the asks.

    `sights` holds one for each other ask, by order. In one batch each crew asks at most once, and at most one crew for
    each order. Raises `TryAgain` where an order or a crew has changed, or a message has been judged before.
    """
    answers: list[Answer] = []
    rows: list[GrabRow] = []
    won: dict[int, Win] = {}
    told: list[tuple[PublicOrder, Event, OrderData]] = []
    travel = city.travel_at(tx.now)
    for place, ask in enumerate(asks):
        seen = None if ask.refused else sights[ask.order]
        cycle, eta, distance = 0, None, None
        if seen is not None:
            cycle = seen.cycle
            eta, distance = arrival(seen.order.location, seen.crew, travel)
            order = _claimed(seen.order, ask.crew, tx.now)
            data = OrderData(Raw(encode(order)), cycle, closed=Closed("taken", cycle))
            actor, members = f"crew:{ask.crew}", closed_by_grab(cycle)
            event = Event.of_public(CLAIMED, order, cycle, actor=actor, text=data.order, **members)
            won[place] = Win(order, event, seen.crew.revision)
            told.append((order, event, data))
        reason = ask.refused or "won"
        rows.append(GrabRow(ask.crew, ask.message, ask.order, cycle, eta, distance, reason))
        answers.append(GrabResult(ask.message, ask.order, seen is not None, reason))
    settled = await tx.settle(rows, won)
    if not settled.claimed or settled.answered < len(rows):
        raise TryAgain
    assert tx.last_seq is not None
    own = []
    for seq, (order, event, data) in zip(count(tx.last_seq - len(won) + 1), told, strict=False):
        logged = Logged(seq, tx.now, event.kind, event.actor, Raw(event.data), order.id, order.crew)
        own.append(Own(logged, data, order))
    held = [Held(one.order.id, one.order.version, one.data.cycle, one.event.crew or "") for one in own]
    return Judged(answers, held, own)


def _claimed(order: PublicOrder, crew: str, now: datetime) -> PublicOrder:
    """Return the order as the crew that grabbed it holds it."""
    return msgspec.structs.replace(
        order,
        version=order.version + 1,
        state=CLAIMED_STATE,
        crew=crew,
        claimed_by="grab",
        clocks=clocks.stop(order.clocks, "hand_down", now),
    )
