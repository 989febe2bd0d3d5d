"""What happened, written down as it happens, a record a line, so that a run that is cut off leaves all it saw.

Two kinds of record stand in one file. What clients did and were told: `Op`, `Verdict`, `Welcome`, `Told`, `Strange`.
And what the installation holds at the end of a round: `Event` (its logs), `Due` (what the logs say that each client
must have been told), `Kept` (rows under the keys of operations), `Head` (how far each log was read).
`tests.faults.check` holds the one against the other, and needs nothing but such files.

Times are seconds since 1970: of the client process for what clients did, of the database for what the log says.
"""

from collections.abc import Iterator
from pathlib import Path
from time import time
from typing import Literal
from zlib import crc32

import msgspec
from msgspec import Struct

Outcome = Literal["ok", "failed", "unknown"]


class Op(Struct, frozen=True, array_like=True, tag="op", gc=False):
    """One operation of one client, from its first byte to its answer.

    `ok` has a definite answer in `result`; `failed` certainly did nothing; `unknown` may have happened or not: no
    answer came. `key` names the operation for ever: a message id, or what stands in its audit row. `keyed` says that it
    may be asked again and must get the same answer. `version`, `state`, `holder` are of the order in the answer;
    `saw` is the version that the asker named, where he did.
    """

    city: str
    client: str
    operation: str
    key: str
    order: str | None
    start: float
    end: float
    outcome: Outcome
    result: str | None = None
    keyed: bool = True
    version: int | None = None
    state: str | None = None
    holder: str | None = None
    saw: int | None = None


class Verdict(Struct, frozen=True, array_like=True, tag="verdict", gc=False):
    """An answer on a crew's socket to the command `key`, each time that it came."""

    city: str
    client: str
    at: float
    key: str
    order: str
    result: str


class Welcome(Struct, frozen=True, array_like=True, tag="welcome", gc=False):
    """A connection came about. Where it did not resume, `held` has the orders that the client was told it holds."""

    city: str
    client: str
    at: float
    epoch: str
    seq: int
    resumed: bool
    held: tuple[str, ...] | None = None


class Told(Struct, frozen=True, array_like=True, tag="told", gc=False):
    """A frame with a place in the log; `digest` is that of its text, the rest what it says of an order."""

    city: str
    client: str
    at: float
    seq: int
    digest: int
    order: str | None = None
    version: int | None = None
    state: str | None = None
    holder: str | None = None


class Strange(Struct, frozen=True, array_like=True, tag="strange", gc=False):
    """Something that no client may ever see, such as a word that only another city knows."""

    city: str
    client: str
    at: float
    what: str


class ClockAt(Struct, frozen=True, array_like=True, gc=False):
    """A clock of an order after an event."""

    name: str
    due: float
    running: bool


class Event(Struct, frozen=True, array_like=True, tag="event", gc=False):
    """A row of a city's log, with the order as it is after it.

    `by` says how the holder came to it; `lost` is the crew that is told that it lost the order.
    """

    city: str
    seq: int
    at: float
    kind: str
    actor: str
    order: str | None = None
    cycle: int = 0
    version: int = 0
    state: str | None = None
    holder: str | None = None
    by: str | None = None
    lost: str | None = None
    clock: str | None = None
    deadline: float | None = None
    clocks: tuple[ClockAt, ...] = ()


class Due(Struct, frozen=True, array_like=True, tag="due", gc=False):
    """A frame that the log owes a client."""

    city: str
    client: str
    seq: int
    digest: int


class Kept(Struct, frozen=True, array_like=True, tag="kept", gc=False):
    """A row of the database under the key of an operation. `number` is a grab's cycle or an override's version."""

    city: str
    table: str
    client: str
    key: str
    order: str
    number: int
    result: str | None


class Head(Struct, frozen=True, array_like=True, tag="head", gc=False):
    """Up to where clients had the time to hear a city's log, and when that was by the database's clock.

    What they were or were not told of what lies beyond is not judged.
    """

    city: str
    epoch: str
    seq: int
    at: float


Record = Op | Verdict | Welcome | Told | Strange | Event | Due | Kept | Head


class History:
    """Writes records to a file; `acknowledged` counts operations that changed something and had their answer."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._out = file.open("wb", buffering=1 << 20)
        self._encoder = msgspec.json.Encoder()
        self._buffer = bytearray()
        self.records = 0

    def write(self, record: Record) -> None:
        """Append a record."""
        self._encoder.encode_into(record, self._buffer)
        self._buffer += b"\n"
        self._out.write(self._buffer)
        self.records += 1

    def flush(self) -> None:
        """Let the file have everything."""
        self._out.flush()

    def close(self) -> None:
        """End the file."""
        self._out.close()


def read(file: Path) -> Iterator[Record]:
    """Return the records of a file; one that was cut off in the middle ends it."""
    decoder = msgspec.json.Decoder(Record)
    with file.open("rb") as lines:
        for line in lines:
            if not line.endswith(b"\n"):
                return
            yield decoder.decode(line)


def digest(text: str) -> int:
    """Return what stands for a frame's text in the history."""
    return crc32(text.encode())


def now() -> float:
    """Return the time on the clients' side."""
    return time()
