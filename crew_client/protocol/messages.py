"""Every message of the crew socket as a frozen, tagged struct. CONTRACT.md section 3 names them; see the package."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

MessageId = Annotated[str, Meta(min_length=1, max_length=64, description="the crew's own id of this command")]
OrderId = Annotated[str, Meta(min_length=1, max_length=64)]
Seq = Annotated[int, Meta(ge=0)]
Longitude = Annotated[float, Meta(ge=-180, le=180)]
Latitude = Annotated[float, Meta(ge=-90, le=90)]
Crs = Literal["wgs84", "gcj02", "bd09"]
Severity = Annotated[int, Meta(ge=1, le=5)]
OrderState = Literal[
    "unzoned",
    "offered",
    "claimed",
    "en_route",
    "arrived",
    "resolved",
    "closed",
    "held",
    "suspended",
    "transferred",
    "merged",
    "cancelled",
]
ClaimedBy = Literal["grab", "optimizer", "dispatcher"]
ClockState = Literal["running", "at_risk", "breached", "met", "paused", "stopped"]
OfferMode = Literal["first", "sealed"]
OfferClosedReason = Literal["taken", "assigned", "withdrawn", "expired"]
GrabReason = Literal[
    "won", "taken", "outbid", "closed", "not_eligible", "at_capacity", "off_shift", "rate_limited", "unknown_order"
]
ProgressTo = Literal["en_route", "arrived", "resolved", "suspended"]
SuspendReason = Literal["resident_absent", "waiting_part", "waiting_utility"]
HandBackReason = Literal[
    "too_far", "missing_part", "missing_skill", "vehicle_trouble", "unsafe", "unwell", "shift_ends"
]


class Location(Struct, frozen=True):
    """A place on the ground, WGS-84 degrees."""

    lon: Longitude
    lat: Latitude


class Contact(Struct, frozen=True):
    """Whom to call at the door; sent only to the crew that holds the order."""

    name: str | None = None
    phone: str | None = None


class Clock(Struct, frozen=True, omit_defaults=True):
    """One service clock of an order: when it is due and whether it was met, breached or paused.

    `breached` is true once the breach was told to everybody; `paused_s` is how long it has stood still so far.
    """

    state: ClockState
    started_at: datetime
    due_at: datetime
    at_risk_at: datetime | None = None
    stopped_at: datetime | None = None
    breached: bool = False
    paused_at: datetime | None = None
    pause_reason: str | None = None
    paused_s: float = 0.0


class PublicOrder(Struct, frozen=True):
    """A repair order as everybody may see it. `claimed_by` says how `crew` came to hold it.

    `unverified` marks an arrival that the crew's fixes did not prove.
    """

    id: str
    version: int
    state: OrderState
    zone: str | None
    category: str
    severity: Severity
    location: Location | None
    address: dict[str, Any] | None
    crew: str | None
    claimed_by: ClaimedBy | None
    reported_at: datetime
    clocks: dict[str, Clock]
    incident: str | None = None
    required_skills: tuple[str, ...] = ()
    unverified: bool = False


class Order(PublicOrder, frozen=True, kw_only=True):
    """A repair order as a crew sees it: with what the resident said, and for its holder whom to call."""

    description: str | None = None
    contact: Contact | None = None


class OfferedOrder(Order, frozen=True, kw_only=True):
    """An open offer inside `welcome`: the order, and beside its fields the terms that its `offer` message carried."""

    mode: OfferMode
    closes_at: datetime
    eta_s: float
    distance_m: float


# From the crew. The server ignores fields that it does not know, so that a newer phone can talk to it.


class Hello(Struct, frozen=True, tag="hello"):
    """The first message. `token` where the handshake could not carry it; `resume_after` the last `seq` seen.

    `epoch` is the one that `welcome` gave with that seq; given, a log of another epoch is noticed.
    """

    token: str | None = None
    resume_after: Seq | None = None
    epoch: str | None = None


class Shift(Struct, frozen=True, tag="shift"):
    """Begin (`on: true`) or end the shift. Answered by `shift_changed` where that changes something.

    Offers come only while on shift, and whatever is open to the crew comes anew as a shift begins: with a
    `shift_changed` the phone clears the offers that it shows.
    """

    on: bool


class Position(Struct, frozen=True, tag="position"):
    """One fix of the phone, with the phone's own time in `at`; without a `crs` it is WGS-84."""

    lon: Longitude
    lat: Latitude
    accuracy_m: Annotated[float, Meta(ge=0)]
    at: datetime
    crs: Crs | None = "wgs84"


class Grab(Struct, frozen=True, tag="grab"):
    """Ask for an offered order. The same `id` always gets the same verdict."""

    id: MessageId
    order: OrderId


class Decline(Struct, frozen=True, tag="decline"):
    """Say no to an offer, so that a sealed window need not wait for this crew. A bid that it made is taken back."""

    id: MessageId
    order: OrderId
    reason: Annotated[str, Meta(max_length=200)] | None = None


class Evidence(Struct, frozen=True):
    """What was found at the door: room temperature, words, a photo's reference (`POST /photos` gives it)."""

    temperature_c: Annotated[float, Meta(ge=-60, le=100)] | None = None
    note: Annotated[str, Meta(max_length=4000)] | None = None
    photo: Annotated[str, Meta(max_length=40000)] | None = None


class Progress(Struct, frozen=True, tag="progress"):
    """How the visit goes, with the phone's time in `at`. `reason` only for `suspended`.

    It pauses the clocks where something was found (`evidence`), or the arrival was proved. A phone without `reason` may
    name a listed one in its note.
    """

    id: MessageId
    order: OrderId
    to: ProgressTo
    at: datetime
    evidence: Evidence | None = None
    reason: SuspendReason | None = None


class HandBack(Struct, frozen=True, tag="hand_back"):
    """Give back an order that this crew holds: it is opened to the others at once. Answered by `progress_ack`."""

    id: MessageId
    order: OrderId
    reason: HandBackReason
    at: datetime


class Ack(Struct, frozen=True, tag="ack"):
    """Everything up to `seq` has been seen."""

    seq: Seq


class Ping(Struct, frozen=True, tag="ping"):
    """Keeps the connection known to be alive; every field is sent back in `pong`."""


FromCrew = Hello | Shift | Position | Grab | Decline | Progress | HandBack | Ack | Ping


# To the crew. A client ignores fields that it does not know.


class Welcome(Struct, frozen=True, tag="welcome"):
    """Answer to `hello`. With `resumed: false` the lists are the whole truth; else the missed messages follow."""

    crew: str
    seq: Seq
    epoch: str
    server_time: datetime
    offers: tuple[OfferedOrder, ...]
    orders: tuple[Order, ...]
    resumed: bool
    on_shift: bool = False


class Offer(Struct, frozen=True, tag="offer"):
    """An order is open to this crew's grab until it closes."""

    seq: Seq
    order: Order
    mode: OfferMode
    closes_at: datetime
    eta_s: float
    distance_m: float


class OfferClosed(Struct, frozen=True, tag="offer_closed"):
    """The order is no longer open; `order` is its id."""

    seq: Seq
    order: str
    reason: OfferClosedReason


class GrabAck(Struct, frozen=True, tag="grab_ack"):
    """Sealed mode: the bid is in and durable; the verdict follows after `closes_at`."""

    id: str
    order: str
    closes_at: datetime


class GrabResult(Struct, frozen=True, tag="grab_result"):
    """The verdict on a grab, durable before it is sent."""

    id: str
    order: str
    won: bool
    reason: GrabReason


class Assigned(Struct, frozen=True, tag="assigned"):
    """The order was given to this crew."""

    seq: Seq
    order: Order
    by: Literal["optimizer", "dispatcher"]
    reason: str | None


class Revoked(Struct, frozen=True, tag="revoked"):
    """The order was taken from this crew; `order` is its id."""

    seq: Seq
    order: str
    by: str
    reason: str | None


class Updated(Struct, frozen=True, tag="updated"):
    """An order that this crew holds, or is offered, has changed."""

    seq: Seq
    order: Order


class ProgressAck(Struct, frozen=True, tag="progress_ack", omit_defaults=True):
    """A `progress`, `decline` or `hand_back` is durable (`state`), or not taken (`error`; `detail` says why)."""

    id: str
    order: str
    state: OrderState | None = None
    error: str | None = None
    detail: str | None = None
    unverified: bool = False


class Stop(Struct, frozen=True):
    """One stop of a route."""

    order: str
    eta: datetime


class Route(Struct, frozen=True, tag="route"):
    """The order in which the held orders are best visited."""

    seq: Seq
    stops: tuple[Stop, ...]


class Advice(Struct, frozen=True, tag="advice"):
    """Where an idle crew best waits for the next reports, and why; nobody has to go."""

    seq: Seq
    location: Location
    reason: str


class ShiftChanged(Struct, frozen=True, tag="shift_changed"):
    """The shift began or ended: by the crew's own word, which is durable now, or by a dispatcher's, with his reason.

    Offers that were shown before it are gone; those of a shift that begins follow.
    """

    seq: Seq
    on: bool
    by: Literal["crew", "dispatcher"]
    reason: str | None = None


class Error(Struct, frozen=True, tag="error", omit_defaults=True):
    """A message was not taken. `id` names the command where it had one."""

    code: str
    detail: str
    id: str | None = None


class Pong(Struct, frozen=True, tag="pong"):
    """Answer to `ping`."""


ToCrew = (
    Welcome
    | Offer
    | OfferClosed
    | GrabAck
    | GrabResult
    | Assigned
    | Revoked
    | Updated
    | ProgressAck
    | Route
    | Advice
    | ShiftChanged
    | Error
    | Pong
)
