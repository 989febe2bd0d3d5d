"""One crew's side of `qiangdan.v1` without sockets or clocks: what was seen, what is owed, what to say next.

A session outlives its connections:

    hello() > the shell sends it on a new socket
    receive(welcome) > online: everything owed is queued again
    receive(...), ask(...), put_shift(...), put_position(...) > outgoing() gives what to send, in order
    lost() > offline: nothing is forgotten but what was queued, which the next welcome queues again

Commands (grab, decline, progress) are owed until they have their verdict: after a reconnect they go out again with
the same id, and the server answers the same id with the same verdict. Shift and position are states: only the newest
counts. The position is restated on each connection, the shift until the log has said it: later it is the server's to
know, since a dispatcher may have ended it. Never fold a message without seq into the mirror: a verdict that was
repeated may be older than what the log has said since.
"""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from crew_client.mirror import Mirror
from crew_client.protocol import (
    FRAME_LIMIT,
    Decline,
    Error,
    FromCrew,
    Grab,
    GrabAck,
    GrabResult,
    HandBack,
    Hello,
    Pong,
    Position,
    Progress,
    ProgressAck,
    ProtocolError,
    Shift,
    ShiftChanged,
    ToCrew,
    Welcome,
    decode_from_crew,
    encode,
)

Command = Grab | Decline | Progress | HandBack
Verdict = GrabResult | ProgressAck | Error
TRY_AGAIN = "failed"
"""The code of an `error` that judges nothing: the server stumbled, and the command is asked again before long."""
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


class Received(NamedTuple):
    """What a message was: `new` unless it was a repetition or a pong; the `verdict` that it is on an owed command."""

    new: bool
    verdict: Verdict | None = None


class _Owed:
    """A command without a verdict; `nudges` counts the regular looks that it has waited through."""

    def __init__(self, command: Command, closes_at: datetime | None) -> None:
        self.command = command
        self.closes_at = closes_at
        self.nudges = 0


class Session:
    """The state of one crew's client; the caller moves frames and passes time in."""

    def __init__(self) -> None:
        self.mirror = Mirror()
        self.online = False
        self.server_ahead = timedelta(0)
        self._owed: dict[str, _Owed] = {}
        self._outbox: list[FromCrew] = []
        self._shift: Shift | None = None
        self._position: Position | None = None
        self._position_due = False

    @property
    def on_shift(self) -> bool:
        """Whether the crew is on shift: as it said last, until the log says so or otherwise."""
        return self.mirror.on_shift if self._shift is None else self._shift.on

    @property
    def owed(self) -> tuple[Command, ...]:
        """Commands that wait for a verdict, oldest first."""
        return tuple(owed.command for owed in self._owed.values())

    def hello(self) -> Hello:
        """Say who comes back, and from where in the log. The token travels in the handshake."""
        return Hello(resume_after=self.mirror.seq, epoch=self.mirror.epoch)

    def receive(self, message: ToCrew, *, now: datetime) -> Received:
        """Take one message from the server in. `now` is the time on this device, right or wrong."""
        match message:
            case Welcome():
                self.mirror.welcome(message)
                self.server_ahead = message.server_time - now
                if self._shift is not None and self._shift.on == message.on_shift:
                    self._shift = None
                self._come_online()
                return Received(new=True)
            case GrabResult() | ProgressAck():
                return Received(new=True, verdict=self._settle(message.id, message))
            case Error(code=code, id=command_id):
                if command_id is None or code == TRY_AGAIN:
                    return Received(new=True)
                return Received(new=True, verdict=self._settle(command_id, message))
            case GrabAck():
                return Received(new=True)
            case Pong():
                return Received(new=False)
            case ShiftChanged(on=on, by=by):
                if self._shift is not None and (by == "dispatcher" or on == self._shift.on):
                    self._shift = None
                return Received(new=self.mirror.fold(message))
            case _:
                return Received(new=self.mirror.fold(message))

    def ask(self, command: Command) -> None:
        """Owe a command until its verdict. The same command twice is one; another with its id is a `ValueError`."""
        owed = self._owed.get(command.id)
        if owed is not None:
            if _untimed(owed.command) != _untimed(command):
                raise ValueError(f"the id {command.id!r} is taken by another command that still waits for its verdict")
            return
        check(command)
        offer = self.mirror.offers.get(command.order)
        self._owed[command.id] = _Owed(command, offer.closes_at if offer else None)
        if self.online:
            self._outbox.append(command)

    def withdraw(self, command_id: str) -> None:
        """Owe a command no longer: nobody waits for its verdict. If it was sent, it may still have been decided."""
        self._owed.pop(command_id, None)
        self._outbox = [message for message in self._outbox if getattr(message, "id", None) != command_id]

    def put_shift(self, shift: Shift) -> None:
        """Set whether the crew is on shift, said again after a reconnect until the log has it."""
        if not (self.online and self._shift is None and shift.on == self.mirror.on_shift):
            self._shift = shift
        if self.online:
            self._outbox.append(shift)

    def put_position(self, position: Position) -> None:
        """Set where the crew is. A position that could not be sent yet is replaced: the newest wins."""
        check(position)
        self._position = position
        self._position_due = self.online

    def nudge(self) -> None:
        """Ask again for what two regular looks have found unanswered on a connection that lives."""
        if not self.online:
            return
        for owed in self._owed.values():
            owed.nudges += 1
            if owed.nudges >= 2:
                owed.nudges = 0
                self._outbox.append(owed.command)

    def outgoing(self) -> list[FromCrew]:
        """Take everything that is to be sent now, in order; nothing while offline."""
        messages, self._outbox = self._outbox, []
        if self._position_due and self._position is not None:
            # Before the commands, so that a grab is judged by where the crew is now, but after the shift: a server
            # takes no whereabouts from a crew that is off.
            place = max((n for n, message in enumerate(messages, 1) if isinstance(message, Shift)), default=0)
            messages.insert(place, self._position)
            self._position_due = False
        return messages

    def snapshot(self, *, now: datetime) -> Welcome:
        """Say all that is known as one `welcome`, for a reader who has missed messages."""
        return self.mirror.snapshot(now + self.server_ahead, on_shift=self.on_shift)

    def lost(self) -> None:
        """Note that the connection is gone."""
        self.online = False
        self._outbox = []
        self._position_due = False

    def _come_online(self) -> None:
        self.online = True
        self._outbox = [self._shift] if self._shift is not None else []
        self._position_due = self._position is not None
        for owed in self._owed.values():
            owed.nudges = 0
            self._outbox.append(owed.command)

    def _settle(self, command_id: str, verdict: Verdict) -> Verdict | None:
        owed = self._owed.pop(command_id, None)
        if owed is None:
            return None
        declined = isinstance(owed.command, Decline) and isinstance(verdict, ProgressAck) and verdict.error is None
        if declined and owed.closes_at is not None:
            self.mirror.decline(owed.command.order, owed.closes_at)
        return verdict


def _untimed(command: Command) -> Command:
    return msgspec.structs.replace(command, at=_NO_TIME) if isinstance(command, Progress) else command


def check(message: FromCrew) -> None:
    """Refuse, with a `ValueError` that names the field, a message which the server could only refuse."""
    frame = encode(message)
    try:
        decode_from_crew(frame)
    except ProtocolError as error:
        raise ValueError(str(error)) from None
    if len(frame.encode()) > FRAME_LIMIT:
        raise ValueError(f"the message is larger than a frame may be ({FRAME_LIMIT} bytes)")
