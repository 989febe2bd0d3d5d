"""Step 4, the straight way: grabs of orders in mode `first` that nobody seems to contest.

The engine's memory shows the order open to the crew, and the crew with room. A batch of such grabs is written at once,
under the condition that each order (state and version) and each crew (shift and load) still are as memory has them.
Where one of them is not, nothing is written, and the batch is judged under locks (`grabs.judge_batch`). So memory
proposes and the database decides, with one statement in the place of three and no row read.

Promise: what it answers is what `grabs.judge_batch` would have answered.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from crew_client.protocol import GrabResult, PublicOrder
from dispatch import clocks
from dispatch.city import City
from dispatch.crews import Crew, obstacles
from dispatch.events import Event
from dispatch.grabs import Answer, Ask, Held, Judged, arrival, closed_by_grab
from dispatch.orders import State
from dispatch.store import TryAgain
from dispatch.store.crews import GrabRow

if TYPE_CHECKING:
    from dispatch.mirror import LiveOrder
    from dispatch.store import Tx


class Sight(Struct, frozen=True):
    """An open order and a crew that may have it, as the engine's memory shows them; neither is locked."""

    order: PublicOrder
    cycle: int
    crew: Crew


def sight(live: "LiveOrder | None", crew: Crew | None) -> Sight | None:
    """Return what a grab can be written on at once, None where it must be judged under locks."""
    if live is None or crew is None or live.mode != "first" or live.order.state != State.OFFERED.value:
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
    won: dict[int, tuple[PublicOrder, Event]] = {}
    for place, ask in enumerate(asks):
        seen = None if ask.refused else sights[ask.order]
        eta = distance = None
        if seen is not None:
            eta, distance = arrival(seen.order.location, seen.crew, city)
            held = msgspec.structs.replace(
                seen.order,
                version=seen.order.version + 1,
                state=State.CLAIMED.value,
                crew=ask.crew,
                claimed_by="grab",
                clocks=clocks.stop(seen.order.clocks, "hand_down", tx.now),
            )
            members = closed_by_grab(seen.cycle)
            won[place] = held, Event.of_public("order.claimed", held, seen.cycle, actor=f"crew:{ask.crew}", **members)
        reason = ask.refused or "won"
        rows.append(GrabRow(ask.crew, ask.message, ask.order, seen.cycle if seen else 0, eta, distance, reason))
        answers.append(GrabResult(ask.message, ask.order, seen is not None, reason))
    settled = await tx.settle(rows, won)
    if not settled.claimed or settled.answered < len(rows):
        raise TryAgain
    return Judged(
        answers, [Held(o.id, o.version, sights[o.id].cycle, o.crew) for o, _ in won.values() if o.crew is not None]
    )
