"""The crew socket: CONTRACT section 3. Each message to one command of the engine, each answer to one frame."""

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec

from crew_client.protocol import (
    Ack,
    Decline,
    Grab,
    GrabResult,
    HandBack,
    Hello,
    Ping,
    Position,
    Progress,
    ProtocolError,
    Shift,
    decode_from_crew,
)
from dispatch.access import Role
from dispatch.deliveries import say
from dispatch.errors import DispatchError, Invalid, Unavailable
from dispatch.grabs import Acked, Answer, Ask
from dispatch.http.session import Session
from dispatch.hub import welcome
from dispatch.logs import logger
from dispatch.problems import instant, unfit_values
from dispatch.store.crews import Fix
from geo import to_wgs84

if TYPE_CHECKING:
    from dispatch.city_desk import CityDesk

RETRY_S = 0.5
log = logger("crew")


class TokenBucket:
    """Lets `rate` things a second pass, and `burst` at once."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._level = float(burst)
        self._at = monotonic()

    def take(self) -> bool:
        """Return whether one more may pass now."""
        now = monotonic()
        self._level = min(self._burst, self._level + (now - self._at) * self._rate)
        self._at = now
        if self._level < 1:
            return False
        self._level -= 1
        return True


class CrewSession(Session):
    """A technician's phone."""

    kind = "crew"
    roles: frozenset[Role] = frozenset({"crew"})
    desk: "CityDesk | None" = None
    crew = ""
    fix: Fix | None = None
    bucket: TokenBucket | None = None
    asking: "asyncio.Future[Answer] | None" = None

    async def hear(self, frame: str) -> None:
        """Take one frame."""
        try:
            message = decode_from_crew(frame)
        except ProtocolError as error:
            self.unreadable(frame, str(error), id=_id_of(frame))
            return
        if isinstance(message, Ping):
            self.pong(frame)
        elif "\\u0000" in frame and unfit_values(msgspec.json.decode(frame)):
            self.unreadable(frame, "a text holds a NUL character; take it out", id=_id_of(frame))
        elif isinstance(message, Hello):
            await self._hello(message)
        elif self.desk is None:
            self.error("hello_first", "say hello before anything else", id=getattr(message, "id", None))
        elif isinstance(message, Grab):
            self._grab(message)
        elif isinstance(message, Ack):
            pass  # what a crew has seen is learnt from `resume_after`
        else:
            self.later(self._obey(message))

    def left(self) -> None:
        """Forget the socket."""
        if self.identity is not None and self.crew:
            self.engine.hub.leave(self.identity.city, self.crew, self.line)

    async def _hello(self, hello: Hello) -> None:
        if self.desk is not None:
            self.error("hello_twice", "hello was said already; open another socket to resume")
            return
        if not await self.admit(hello.token):
            return
        assert self.identity is not None
        city, self.crew = self.identity.city, self.identity.subject
        desk = await self._reach(city)
        self.bucket = TokenBucket(self.engine.settings.grabs.rate_per_s, self.engine.settings.grabs.burst)
        missed = self._missed(desk, hello)
        mirror = desk.mirror
        seq = hello.resume_after if missed is not None and hello.resume_after is not None else mirror.seq
        replaced = self.engine.hub.join(city, self.crew, self.line)
        if replaced is not None:
            replaced.close(4409, "another connection of this crew has taken over")
        self.line.send(welcome(mirror, self.crew, server_time=self.engine.now(), seq=seq, resumed=missed is not None))
        for frame in missed or ():
            self.line.send(frame)
        self.desk = desk
        self.engine.new_session(city, self.crew)
        if (crew := mirror.crews.get(self.crew)) is not None and crew.on_shift:
            self.engine.crews.join_open_later(city, self.crew)

    async def _reach(self, city: str) -> "CityDesk":
        """Return the desk of the city, with everything read that is committed by now."""
        while True:
            try:
                desk = await self.engine.desk(city)
                await desk.relay.catch_up()
                return desk
            except Unavailable:
                await asyncio.sleep(RETRY_S)

    def _missed(self, desk: "CityDesk", hello: Hello) -> list[str] | None:
        """Return the frames to repeat, or None where only a whole snapshot will do."""
        mirror, after = desk.mirror, hello.resume_after
        if after is None or after > mirror.seq or (hello.epoch is not None and hello.epoch != mirror.epoch):
            return None
        return self.engine.hub.histories[mirror.city.id].since(self.crew, after)

    def _grab(self, grab: Grab) -> None:
        assert self.bucket is not None
        refused = None if self.bucket.take() else "rate_limited"
        ask = Ask(self.crew, grab.id, grab.order, refused=refused)  # type: ignore[arg-type]
        if self._commands or self._working is not None:
            self.later(self._ask_later(ask))  # what was said before it comes first
        else:
            self._ask(ask)

    async def _ask_later(self, ask: Ask) -> None:
        self._ask(ask)

    def _ask(self, ask: Ask) -> None:
        assert self.desk is not None
        self.asking = self.desk.grabs.ask(ask)
        self.asking.add_done_callback(self._tell_verdict)

    def _tell_verdict(self, done: "asyncio.Future[Answer]") -> None:
        if done is self.asking:
            self.asking = None
        if done.cancelled():
            return
        if done.exception() is not None:
            self.error("failed", "the grab could not be judged; send it again with the same id")
            return
        answer = done.result()
        if isinstance(answer, GrabResult):
            self.line.send(
                f'{{"type":"grab_result","id":{say(answer.id)},"order":{say(answer.order)},'
                f'"won":{"true" if answer.won else "false"},"reason":"{answer.reason}"}}'
            )
        elif isinstance(answer, Acked):
            self.line.send(
                say({"type": "grab_ack", "id": answer.message, "order": answer.order, "closes_at": answer.closes_at})
            )
        else:
            self.error("id_reused", f"this id named a grab of order {answer.earlier_order} before", id=answer.message)

    async def _obey(self, message: Shift | Position | Decline | Progress | HandBack) -> None:
        """Do what the message says; while the database is away, wait, for as long as the socket lives."""
        while not self.line.closing:
            try:
                await self.engine.command(self._do(message))
                return
            except Unavailable:
                await asyncio.sleep(RETRY_S)
            except DispatchError as error:
                wrong = isinstance(error, Invalid)
                self.error(error.code, error.detail, id=getattr(message, "id", None), malformed=wrong)
                return
            except Exception:
                log.exception("a message could not be obeyed", kind=type(message).__name__)
                self.error("failed", "something went wrong here; send it again", id=getattr(message, "id", None))
                return

    async def _do(self, message: Shift | Position | Decline | Progress | HandBack) -> None:
        assert self.identity is not None
        engine, city = self.engine, self.identity.city
        if isinstance(message, Shift):
            await engine.crews.set_shift(city, self.crew, message.on, fix=self.fix)
        elif isinstance(message, Position):
            self.fix = self._fix_of(message)
            await engine.crews.hear_position(city, self.fix)
        elif isinstance(message, Progress):
            instant(message.at, "at")
            answer = await engine.crews.progress(city, self.crew, message)
            self.line.send(say(answer))
        elif isinstance(message, HandBack):
            instant(message.at, "at")
            self.line.send(say(await engine.crews.hand_back(city, self.crew, message)))
        else:
            if self.asking is not None:
                await asyncio.wait([self.asking])  # a bid that was sent before is taken back
            said = await engine.crews.decline(city, self.crew, message.id, message.order, message.reason)
            self.line.send(say(said))

    def _fix_of(self, message: Position) -> Fix:
        lon, lat = to_wgs84(message.lon, message.lat, message.crs or "wgs84")
        return Fix(
            crew=self.crew,
            lon=round(lon, 7),
            lat=round(lat, 7),
            accuracy_m=message.accuracy_m,
            device_at=instant(message.at, "at"),
            received_at=self.engine.now(),
        )


def _id_of(frame: str) -> str | None:
    """Return the id of a frame that is wrong otherwise, so that its sender knows which one it was.

    An id that is too long is left out: its beginning may be another's.
    """
    try:
        value: Any = msgspec.json.decode(frame)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    found = value.get("id") if isinstance(value, dict) else None
    return found if isinstance(found, str) and 0 < len(found) <= 64 else None
