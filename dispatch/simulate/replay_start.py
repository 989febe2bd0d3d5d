"""How a city stood when a logged period began, read from what its log says of the time before.

Whoever held an order then goes on with it; an offer that was open keeps its age; what stood on a dispatcher's list
comes back at the moment at which it did, and is left out where it did not come back within the period.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from crew_client.protocol import PublicOrder
from dispatch.orders import WITH_DISPATCHER, State
from dispatch.simulate.scenario import ScenarioReport
from dispatch.simulate.standing import OnShift, Standing, StandingOrder

if TYPE_CHECKING:
    from dispatch.simulate.replay import Rows

TAKEN = ("order.claimed", "order.assigned")
LOST = ("order.handed_back", "order.revoked")
FOR_EVERYBODY = ("order.released", "order.reopened")
"""After these an order is open to those as well who lost it before."""
BACK = ("order.offered", *TAKEN, "order.en_route")
_public = msgspec.json.Decoder(PublicOrder)


class Story(Struct):
    """What an order had been through when the period began; the moments of `StandingOrder`."""

    order: PublicOrder
    cycle: int
    opened_at: datetime | None = None
    claimed_at: datetime | None = None
    departed_at: datetime | None = None
    arrived_at: datetime | None = None
    reached: bool = False
    lost_by: tuple[str, ...] = ()
    back_at: datetime | None = None

    @property
    def with_dispatcher(self) -> bool:
        """Whether it stood on a dispatcher's list."""
        return State(self.order.state) in WITH_DISPATCHER

    @property
    def begins_anew(self) -> bool:
        """Whether somebody had been at the door, and the work at hand is another: nobody knows how long it took."""
        return self.reached and State(self.order.state) is not State.ARRIVED

    def goes_on(self, end: datetime) -> bool:
        """Return whether it was anybody's work before the period ended."""
        return not self.with_dispatcher or (self.back_at is not None and self.back_at < end)

    def hear(self, kind: str, at: datetime, lost: str | None) -> None:
        """Take in what befell the order before the period."""
        if kind == "order.offered":
            self.opened_at = at
        elif kind in TAKEN:
            self.claimed_at, self.departed_at, self.arrived_at = at, None, None
        elif kind == "order.en_route":
            self.departed_at = at
        elif kind == "order.arrived":
            self.arrived_at, self.reached = at, True
        elif kind in LOST and lost is not None:
            self.lost_by = (*self.lost_by, lost)
        elif kind in FOR_EVERYBODY:
            self.lost_by = ()


def stories(
    open_before: Sequence[Mapping[str, Any]], moments: Sequence[Mapping[str, Any]], start: datetime
) -> dict[str, Story]:
    """Return the story of each order that was open when the period began, by id."""
    told = {row["order_id"]: Story(_public.decode(row["told"]), row["cycle"]) for row in open_before}
    for row in moments:
        story = told.get(row["order_id"])
        if story is None:
            continue
        if row["at"] < start:
            story.hear(row["kind"], row["at"], row["lost"])
        elif story.with_dispatcher and story.back_at is None and row["kind"] in BACK:
            story.back_at = row["at"]
    return told


def standing(
    rows: "Rows", reports: Mapping[str, ScenarioReport], told: Mapping[str, Story], start: datetime
) -> Standing:
    """Return how the city stood; `reports` has those orders that are not left out."""
    orders = {
        order_id: StandingOrder(
            report=reports[order_id],
            order=story.order,
            cycle=story.cycle,
            excluded=tuple(dict.fromkeys(story.lost_by)),
            opened_at=story.opened_at,
            claimed_at=story.claimed_at,
            departed_at=story.departed_at,
            arrived_at=story.arrived_at,
            back_at=story.back_at,
        )
        for order_id, story in told.items()
        if order_id in reports
    }
    since = on_since(rows.shifts, start)
    taken = Counter(
        row["crew_id"] for row in rows.turns if row["kind"] in TAKEN and row["at"] >= since.get(row["crew_id"], start)
    )
    return Standing(start, orders, {crew_id: OnShift(began, taken[crew_id]) for crew_id, began in since.items()})


def on_since(shifts: Sequence[Mapping[str, Any]], start: datetime) -> dict[str, datetime]:
    """Return who was on shift when the period began, and since when."""
    since: dict[str, datetime] = {}
    for row in shifts:
        if row["at"] >= start:
            break
        if row["began"]:
            since.setdefault(row["crew_id"], row["at"])
        else:
            since.pop(row["crew_id"], None)
    return since


def last_places(rows: "Rows", standing: Standing) -> dict[str, tuple[float, float]]:
    """Return where those on shift were when the period began: their last fix of the shift, or their last door."""
    seen: defaultdict[str, list[tuple[datetime, float, float]]] = defaultdict(list)
    for row in rows.turns:
        if row["kind"] == "order.arrived" and row["lon"] is not None:
            seen[row["crew_id"]].append((row["at"], row["lon"], row["lat"]))
    for row in rows.last_fixes:
        seen[row["crew_id"]].append((row["received_at"], row["lon"], row["lat"]))
    places = {}
    for crew_id, on in standing.on_shift.items():
        if here := [each for each in seen[crew_id] if each[0] >= on.since]:
            _, lon, lat = max(here)
            places[crew_id] = (lon, lat)
    return places
