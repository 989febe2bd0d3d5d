"""The console socket: CONTRACT section 4. A snapshot, then every event in order, and positions once a second."""

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Struct

from crew_client.protocol import Location
from dispatch.access import Role
from dispatch.deliveries import say
from dispatch.errors import Unavailable
from dispatch.events import Logged
from dispatch.http.session import Session
from dispatch.hub import snapshot
from dispatch.mirror import Left, order_data
from dispatch.problems import problem_of
from dispatch.relay import event_frame, logged
from dispatch.store.tx import LOG

if TYPE_CHECKING:
    from dispatch.mirror import Mirror

PAGE = 500
REPLAY = 5_000
"""How many missed events are repeated; who missed more gets a snapshot."""


class ConsoleHello(Struct, frozen=True, tag="hello"):
    """The first message of a console: what it wants to see, and from where on.

    `bbox` is west, south, east, north in degrees.
    """

    token: str | None = None
    resume_after: Annotated[int, Meta(ge=0)] | None = None
    epoch: str | None = None
    zones: Annotated[tuple[str, ...], Meta(max_length=10_000)] | None = None
    bbox: tuple[float, float, float, float] | None = None


class ConsolePing(Struct, frozen=True, tag="ping"):
    """Keeps the connection known to be alive."""


class ConsoleAck(Struct, frozen=True, tag="ack"):
    """Everything up to `seq` has been seen."""

    seq: Annotated[int, Meta(ge=0)]


_place = msgspec.json.Decoder(Left)  # of an order, the two members that a filter asks for
_decode = msgspec.json.Decoder(ConsoleHello | ConsolePing | ConsoleAck).decode


class ConsoleSession(Session):
    """A dispatcher's or a monitor's screen."""

    kind = "console"
    roles: frozenset[Role] = frozenset({"dispatcher", "monitor"})
    zones: frozenset[str] | None = None
    bbox: tuple[float, float, float, float] | None = None
    skip_until = 0
    joined = False

    def send(self, frame: str) -> None:
        """Queue a frame."""
        self.line.send(frame)

    def close(self, code: int, reason: str) -> None:
        """Close the socket."""
        self.line.close(code, reason)

    def is_of(self, user: str) -> bool:
        """Return whether this user opened it."""
        return self.identity is not None and self.identity.subject == user

    def wants(self, zone: str | None, place: Location | None) -> bool:
        """Return whether an order or crew there is to be shown."""
        if self.zones is not None and zone not in self.zones:
            return False
        return self.bbox is None or (place is not None and self._inside(place.lon, place.lat))

    def _inside(self, lon: float, lat: float) -> bool:
        assert self.bbox is not None
        west, south, east, north = self.bbox
        return west <= lon <= east and south <= lat <= north

    def positions(self, moved: list[dict[str, Any]]) -> None:
        """Send the newest fixes of crews that moved."""
        shown = [fix for fix in moved if self.bbox is None or self._inside(fix["lon"], fix["lat"])]
        if self.zones is not None and self.identity is not None:
            crews = self.engine.desks[self.identity.city].mirror.crews
            shown = [fix for fix in shown if (crew := crews.get(fix["crew"])) and crew.serves(self.zones)]
        if shown:
            self.line.send(say({"type": "positions", "positions": shown}))

    def left(self) -> None:
        """Forget the socket."""
        if self.identity is not None:
            self.engine.hub.consoles[self.identity.city].discard(self)

    async def hear(self, frame: str) -> None:
        """Take one frame."""
        try:
            message = _decode(frame)
        except msgspec.ValidationError as error:
            problem = problem_of(error)
            self.error("malformed", f"{problem.pointer.lstrip('/') or 'message'}: {problem.detail}", malformed=True)
            return
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            self.unreadable(frame, "not a JSON object")
            return
        if isinstance(message, ConsolePing):
            self.pong(frame)
        elif isinstance(message, ConsoleHello):
            await self._hello(message)

    async def _hello(self, hello: ConsoleHello) -> None:
        if self.joined:
            self.error("hello_twice", "hello was said already; open another socket to look elsewhere")
            return
        if hello.bbox is not None and not _is_box(hello.bbox):
            self.error("malformed", "bbox: give west, south, east, north in degrees, in this order", malformed=True)
            return
        if not await self.admit(hello.token):
            return
        assert self.identity is not None
        self.zones = frozenset(hello.zones) if hello.zones is not None else None
        self.bbox = hello.bbox
        city = self.identity.city
        try:
            desk = await self.engine.desk(city)
            await desk.relay.catch_up()
            if self._can_resume(desk.mirror, hello):
                await self._resume(desk.mirror, hello.resume_after or 0)
            else:
                self.skip_until = desk.mirror.seq
                self.line.send(snapshot(desk.mirror, self, server_time=self.engine.now()))
        except Unavailable as error:
            self.line.close(1013, error.detail[:100])
            return
        known = desk.mirror.city.zones.ids if desk.mirror.city.zones else ()
        if unknown := sorted((self.zones or frozenset()).difference(known)):
            more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
            self.error("unknown_zone", f"zones: the map in force has no {unknown[0][:64]}{more}; the rest is shown")
        self.engine.hub.consoles[city].add(self)
        self.joined = True
        self.must_speak = False  # a screen only listens

    def _can_resume(self, mirror: "Mirror", hello: ConsoleHello) -> bool:
        """Return whether the events after `resume_after` will do, or only a whole snapshot."""
        after = hello.resume_after
        if after is None or (hello.epoch is not None and hello.epoch != mirror.epoch):
            return False
        return mirror.seq - REPLAY <= after <= mirror.seq

    async def _resume(self, mirror: "Mirror", after: int) -> None:
        """Send the events after a position, no faster than they are read; nothing is awaited after the last look."""
        began = {"type": "snapshot", "resumed": True, "seq": after, "epoch": mirror.epoch}
        self.line.send(say({**began, "server_time": self.engine.now()}))
        while after < mirror.seq and not self.line.closing:
            async with self.engine.db.connection() as conn:
                rows = await conn.fetch(LOG["read"], mirror.city.id, after, PAGE)
            for row in rows:
                if self._wants_event(event := logged(row)):
                    self.line.send(event_frame(event))
                    await self.line.drained()
            after = rows[-1]["seq"] if rows else mirror.seq
        self.skip_until = after

    def _wants_event(self, event: Logged) -> bool:
        if event.order is None:
            return True
        data = order_data.decode(event.data)
        place = _place.decode(data.order)
        return self.wants(place.zone, place.location) or (
            data.left is not None and self.wants(data.left.zone, data.left.location)
        )


def _is_box(bbox: tuple[float, float, float, float]) -> bool:
    """Return whether a box has its corners in order and on earth."""
    west, south, east, north = bbox
    return -180 <= west <= east <= 180 and -90 <= south <= north <= 90
