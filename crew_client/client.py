"""`CrewClient`: one crew's connection that looks after itself.

It resumes after each loss from the last seq it saw, and keeps the commands that have no verdict yet. What is known is
in `Session`, which knows no sockets; `Link` keeps it connected; here is what a user of the SDK calls.

The user's loop never holds up the protocol: messages go to a bounded inbox, and a user who is too slow finds one
`welcome` with `resumed: false`, the whole truth, in place of what he missed (see `Inbox`). Verdicts go straight to the
caller who waits.
"""

import asyncio
import random
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType, TracebackType
from typing import Literal

from crew_client import backoff
from crew_client.errors import ClientClosedError, CommandRefusedError, GaveUpError
from crew_client.inbox import Inbox
from crew_client.link import Link, Timing, end
from crew_client.protocol import (
    Decline,
    Error,
    Evidence,
    Grab,
    GrabResult,
    HandBack,
    HandBackReason,
    Offer,
    Order,
    Position,
    Progress,
    ProgressAck,
    Shift,
    Stop,
    ToCrew,
    Welcome,
)
from crew_client.protocol.messages import Crs, ProgressTo, SuspendReason
from crew_client.session import Command, Session, Verdict
from crew_client.transport import OpenSocket, open_socket, socket_url

ConnectionState = Literal["connecting", "online", "offline", "closed"]


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return uuid.uuid4().hex


class CrewClient:
    """A crew's connection to a qiangdan server, for use with `async with`; entering waits for the first `welcome`.

    `url` is the server's address (http(s) or ws(s)), `token` the crew's. Entering and every call raise `GaveUpError`
    when the server has ended the connection for good; a server out of reach is tried for ever, so put a limit
    (`asyncio.timeout`) around what should not wait for ever.

    Of the options, `timing` and `inbox_limit` are for users; the others are there to be replaced in tests.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timing: Timing | None = None,
        inbox_limit: int = 1000,
        clock: Callable[[], datetime] = _utc_now,
        new_id: Callable[[], str] = _new_id,
        rng: random.Random | None = None,
        delays: Callable[[random.Random], Iterator[float]] = backoff.jittered,
        open_socket: OpenSocket = open_socket,
    ) -> None:
        self._clock = clock
        self._new_id = new_id
        self._session = Session()
        self._link = Link(
            socket_url(url),
            token,
            session=self._session,
            take=self._take,
            timing=timing or Timing(),
            rng=rng or random.Random(),
            delays=delays,
            open_socket=open_socket,
        )
        self._inbox = Inbox(inbox_limit)
        self._waiters: dict[str, list[asyncio.Future[Verdict]]] = {}
        self._welcomed = asyncio.Event()
        self._welcomes = 0
        self._closed = False
        self._error: Exception | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "CrewClient":
        if self._task is not None:
            raise RuntimeError("a CrewClient is entered once; make another")
        self._task = asyncio.create_task(self._run(), name="crew-client")
        try:
            await self._welcomed.wait()
        except BaseException:
            await self._stop()
            raise
        if self._error is not None:
            raise self._error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    # What is known.

    @property
    def state(self) -> ConnectionState:
        """`connecting` until the first welcome, then `online` or `offline`, at last `closed`."""
        if self._closed:
            return "closed"
        if self._session.online:
            return "online"
        return "offline" if self._welcomes else "connecting"

    @property
    def crew(self) -> str | None:
        """This crew's own id, once the server has said it."""
        return self._session.mirror.crew

    @property
    def seq(self) -> int | None:
        """The last seq of the city's log that was seen."""
        return self._session.mirror.seq

    @property
    def on_shift(self) -> bool:
        """Whether the crew is on shift: as last set here, else as the server said."""
        return self._session.on_shift

    @property
    def offers(self) -> Mapping[str, Offer]:
        """Offers that are open to this crew, by order id; a live view."""
        return MappingProxyType(self._session.mirror.offers)

    @property
    def orders(self) -> Mapping[str, Order]:
        """Orders that this crew holds, by id; a live view. A won order shows as soon as its `updated` is in."""
        return MappingProxyType(self._session.mirror.orders)

    @property
    def route(self) -> tuple[Stop, ...]:
        """The order in which the server would visit the held orders."""
        return self._session.mirror.route

    @property
    def welcomes(self) -> int:
        """How often a connection came about; all but the first are reconnects."""
        return self._welcomes

    def server_now(self) -> datetime:
        """The time on the server's clock, however wrong the clock here: for countdowns."""
        return self._clock() + self._session.server_ahead

    def __aiter__(self) -> "CrewClient":
        return self

    async def __anext__(self) -> ToCrew:
        """Wait for the next message. Repetitions and pongs are left out; one reader at a time."""
        return await self._inbox.get()

    # What the crew says.

    async def grab(self, order_id: str, *, id: str | None = None) -> GrabResult:
        """Ask for an offered order and wait for the verdict, through as many connections as it takes.

        The same `id` always has the same verdict, so pass the old one to ask again after a crash. Cancelling stops
        the asking, but a grab that was sent may have been won: then the order shows in `orders`.
        """
        verdict = await self._ask(Grab(id=id or self._new_id(), order=order_id))
        if not isinstance(verdict, GrabResult):
            raise CommandRefusedError("unexpected", "the server answered a grab with progress_ack", id=verdict.id)
        return verdict

    async def decline(self, order_id: str, reason: str | None = None, *, id: str | None = None) -> ProgressAck:
        """Turn an offer down; it leaves `offers`. `error` in the answer says why it was not taken."""
        return await self._ask_progress(Decline(id=id or self._new_id(), order=order_id, reason=reason))

    async def progress(
        self,
        order_id: str,
        to: ProgressTo,
        *,
        evidence: Evidence | None = None,
        reason: SuspendReason | None = None,
        at: datetime | None = None,
        id: str | None = None,
    ) -> ProgressAck:
        """Say how the visit goes and wait until that is durable. `error` in the answer says why it was not taken.

        `reason` belongs to `suspended` and pauses the clocks only with `evidence`, or after an arrival that was proved;
        `at` is the time on this device, now unless given.
        """
        return await self._ask_progress(
            Progress(
                id=id or self._new_id(),
                order=order_id,
                to=to,
                at=at or self._clock(),
                evidence=evidence,
                reason=reason,
            )
        )

    async def hand_back(
        self, order_id: str, reason: HandBackReason, *, at: datetime | None = None, id: str | None = None
    ) -> ProgressAck:
        """Give a held order back for others to grab; `error` in the answer says why it was not taken."""
        return await self._ask_progress(
            HandBack(id=id or self._new_id(), order=order_id, reason=reason, at=at or self._clock())
        )

    async def shift(self, on: bool) -> None:
        """Begin or end the shift: now, or when next online, and said again on a reconnect until the server has it."""
        self._check_open()
        self._session.put_shift(Shift(on=on))
        self._link.wake()

    async def position(
        self, lon: float, lat: float, *, accuracy_m: float = 20.0, at: datetime | None = None, crs: Crs = "wgs84"
    ) -> None:
        """Say where the crew is, in degrees. Never waits: only the newest is kept until it can be sent."""
        self._check_open()
        self._session.put_position(Position(lon=lon, lat=lat, accuracy_m=accuracy_m, at=at or self._clock(), crs=crs))
        self._link.wake()

    async def _ask_progress(self, command: Decline | Progress | HandBack) -> ProgressAck:
        verdict = await self._ask(command)
        if not isinstance(verdict, ProgressAck):
            raise CommandRefusedError("unexpected", "the server answered progress with grab_result", id=verdict.id)
        return verdict

    async def _ask(self, command: Command) -> GrabResult | ProgressAck:
        self._check_open()
        self._session.ask(command)
        self._link.wake()
        waiter: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        waiters = self._waiters.setdefault(command.id, [])
        waiters.append(waiter)
        try:
            verdict = await waiter
        finally:
            waiters.remove(waiter)
            if not waiters:
                self._waiters.pop(command.id, None)
                self._session.withdraw(command.id)
        if isinstance(verdict, Error):
            raise CommandRefusedError(verdict.code, verdict.detail, id=command.id)
        return verdict

    def _check_open(self) -> None:
        if self._task is None:
            raise RuntimeError("enter the CrewClient first: async with CrewClient(...) as crew")
        if self._closed:
            raise self._error or ClientClosedError()

    # How it lives.

    async def _run(self) -> None:
        error: Exception | None = None
        try:
            await self._link.run()
        except GaveUpError as final:
            error = final
        except Exception as unforeseen:
            error = unforeseen
            raise
        finally:
            self._finish(error)

    def _take(self, message: ToCrew) -> None:
        received = self._session.receive(message, now=self._clock())
        if isinstance(message, Welcome):
            self._welcomes += 1
            self._welcomed.set()
        if received.verdict is not None and received.verdict.id is not None:
            for waiter in self._waiters.get(received.verdict.id, ()):
                if not waiter.done():
                    waiter.set_result(received.verdict)
        if received.new:
            self._inbox.put(message, snapshot=lambda: self._session.snapshot(now=self._clock()))

    async def _stop(self) -> None:
        if self._task is not None:
            await end(self._task)

    def _finish(self, error: Exception | None) -> None:
        self._closed = True
        self._error = error
        self._welcomed.set()
        self._inbox.close(error)
        for waiter in [waiter for waiters in self._waiters.values() for waiter in waiters]:
            if not waiter.done():
                waiter.set_exception(error or ClientClosedError())
