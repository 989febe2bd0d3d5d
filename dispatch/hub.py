"""Step 7, second half: the sockets that this engine holds, and what each of them is told.

A crew has one socket. Frames go into its bounded queue and never wait for its reader; who does not read is
disconnected, and resumes. The hub keeps the last frames of each crew (`HISTORY`), so that a crew that lost its
connection gets exactly what it missed; who was away longer gets the whole snapshot.
"""

from collections import defaultdict, deque
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal, Protocol

from msgspec import Struct

from crew_client.protocol import Location
from dispatch.crews import Crew
from dispatch.deliveries import Delivery, order_text, say
from dispatch.mirror import Left, LiveOrder, Mirror
from dispatch.offers import window_end

HISTORY = 256
"""How many frames of one crew are kept for its resume."""


class Line(Protocol):
    """The sending half of a socket."""

    def send(self, frame: str) -> None:
        """Queue a frame; a full queue closes the socket."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close the socket as soon as what is queued was sent."""
        ...


class ConsoleLine(Line, Protocol):
    """A dispatcher's socket, with what it wants to see; events up to `skip_until` it has already."""

    skip_until: int

    def positions(self, moved: list[dict[str, Any]]) -> None:
        """Send the newest fixes of crews that moved."""
        ...

    def wants(self, zone: str | None, place: Location | None) -> bool:
        """Return whether an order or crew there is to be shown."""
        ...

    def is_of(self, user: str) -> bool:
        """Return whether this user opened it."""
        ...


class Histories:
    """What each crew of one city was told lately. `floor` is the position before which nothing is known."""

    def __init__(self, floor: int) -> None:
        self._floor = floor
        self._floors: dict[str, int] = {}
        self._frames: dict[str, deque[Delivery]] = {}

    def keep(self, delivery: Delivery) -> None:
        """Keep a frame for its crew's resume."""
        frames = self._frames.get(delivery.crew)
        if frames is None:
            frames = self._frames[delivery.crew] = deque(maxlen=HISTORY)
        elif len(frames) == HISTORY:
            self._floors[delivery.crew] = frames[0].seq
        frames.append(delivery)

    def since(self, crew: str, seq: int) -> list[str] | None:
        """Return the frames that a crew has missed since `seq`, or None where that is too long ago."""
        if seq < self._floors.get(crew, self._floor):
            return None
        return [delivery.frame for delivery in self._frames.get(crew, ()) if delivery.seq > seq]


class Hub:
    """The sockets of one engine by city."""

    def __init__(self) -> None:
        self.crews: defaultdict[str, dict[str, Line]] = defaultdict(dict)
        self.consoles: defaultdict[str, set[ConsoleLine]] = defaultdict(set)
        self.histories: dict[str, Histories] = {}

    def join(self, city: str, crew: str, line: Line) -> Line | None:
        """Let a crew's frames go to this socket; return the one that it replaces."""
        replaced = self.crews[city].get(crew)
        self.crews[city][crew] = line
        return replaced

    def leave(self, city: str, crew: str, line: Line) -> None:
        """Forget a crew's socket, unless another has replaced it already."""
        if self.crews[city].get(crew) is line:
            del self.crews[city][crew]

    def deliver(self, city: str, delivery: Delivery) -> None:
        """Keep a frame and send it where its crew is connected here."""
        self.histories[city].keep(delivery)
        line = self.crews[city].get(delivery.crew)
        if line is not None:
            line.send(delivery.frame)

    def tell_consoles(
        self, city: str, frame: str, *, seq: int, live: LiveOrder | None = None, left: Left | None = None
    ) -> None:
        """Send an event to the consoles that want its order, or wanted it where it was; to all where it has none."""
        for line in list(self.consoles[city]):
            if seq > line.skip_until and (
                live is None
                or line.wants(live.order.zone, live.order.location)
                or (left is not None and line.wants(left.zone, left.location))
            ):
                line.send(frame)

    def lines(self) -> Iterator[Line]:
        """Return every socket."""
        for lines in self.crews.values():
            yield from list(lines.values())
        for consoles in self.consoles.values():
            yield from list(consoles)


def welcome(mirror: Mirror, crew_id: str, *, server_time: datetime, seq: int, resumed: bool) -> str:
    """Return the `welcome` frame of a crew: where the log stands, what is open to it, what it holds.

    A sealed window that has passed without bids was followed by others: what is shown is the end of the one in force.
    """
    offers = ",".join(
        order_text(live, contact=False)[:-1]
        + f',"mode":"{live.mode}","closes_at":{say(window_end(live, server_time))},'
        + '"eta_s":{},"distance_m":{}}}'.format(*live.offered[crew_id])
        for live in mirror.offers_to(crew_id)
    )
    orders = ",".join(order_text(live, contact=True) for live in mirror.held_orders(crew_id))
    crew = mirror.crews.get(crew_id)
    return (
        f'{{"type":"welcome","crew":{say(crew_id)},"seq":{seq},"epoch":"{mirror.epoch}",'
        f'"server_time":{say(server_time)},"offers":[{offers}],"orders":[{orders}],'
        f'"resumed":{say(resumed)},"on_shift":{say(bool(crew and crew.on_shift))}}}'
    )


def snapshot(mirror: Mirror, line: ConsoleLine, *, server_time: Any) -> str:
    """Return the `snapshot` frame of a console: every open order and every crew that it wants to see."""
    orders = ",".join(live.text for live in mirror.orders.values() if line.wants(live.order.zone, live.order.location))
    crews = say(
        [
            crew_row(crew)
            for crew in mirror.crews.values()
            if any(line.wants(zone, crew.position) for zone in (crew.home_zone, *crew.zones_lent))
        ]
    )
    return (
        f'{{"type":"snapshot","seq":{mirror.seq},"epoch":"{mirror.epoch}","server_time":{say(server_time)},'
        f'"resumed":false,"orders":[{orders}],"crews":{crews}}}'
    )


class CrewRow(Struct, frozen=True):
    """A crew as consoles see it, on shift since `shift_since`, `position` being its last fix."""

    id: str
    name: str
    skills: tuple[str, ...]
    home_zone: str | None
    capacity: int
    state: Literal["off", "idle", "busy"]
    load: int
    position: Location | None
    position_at: datetime | None
    zones_lent: tuple[str, ...] = ()
    shift_since: datetime | None = None


def crew_row(crew: Crew) -> CrewRow:
    """Return a crew as consoles see it."""
    return CrewRow(
        id=crew.id,
        name=crew.name,
        skills=crew.skills,
        home_zone=crew.home_zone,
        capacity=crew.capacity,
        state=crew.state,
        load=crew.load,
        position=crew.position,
        position_at=crew.position_at,
        zones_lent=crew.zones_lent,
        shift_since=crew.shift_since if crew.on_shift else None,
    )
