"""The wire messages of the crew socket, `qiangdan.v1`: one JSON object a text frame, told apart by `type`.

The server and every client import these same structs, the published AsyncAPI document is generated from
them, and nothing here imports anything of ours. Structs are frozen; a new field has a default, and who does
not know a field ignores it, so that old and new understand each other. `seq` orders what the city's event
log told this crew: a client that has seen `seq` n says `resume_after: n` after a lost connection and is told
what it missed.

Units: `lon`, `lat` in degrees, WGS-84 unless `crs` says otherwise; `_m` metres; `_s` seconds; times are
RFC 3339 with offset.
"""

from crew_client.protocol.codec import (
    FRAME_LIMIT,
    ProtocolError,
    decode_from_crew,
    decode_to_crew,
    encode,
    without_leap_seconds,
)
from crew_client.protocol.messages import (
    Ack,
    Advice,
    Assigned,
    Clock,
    Contact,
    Decline,
    Error,
    Evidence,
    FromCrew,
    Grab,
    GrabAck,
    GrabReason,
    GrabResult,
    HandBack,
    HandBackReason,
    Hello,
    Location,
    Offer,
    OfferClosed,
    OfferClosedReason,
    OfferedOrder,
    Order,
    Ping,
    Pong,
    Position,
    Progress,
    ProgressAck,
    PublicOrder,
    Revoked,
    Route,
    Shift,
    ShiftChanged,
    Stop,
    ToCrew,
    Updated,
    Welcome,
)

SUBPROTOCOL = "qiangdan.v1"

__all__ = [
    "FRAME_LIMIT",
    "SUBPROTOCOL",
    "Ack",
    "Advice",
    "Assigned",
    "Clock",
    "Contact",
    "Decline",
    "Error",
    "Evidence",
    "FromCrew",
    "Grab",
    "GrabAck",
    "GrabReason",
    "GrabResult",
    "HandBack",
    "HandBackReason",
    "Hello",
    "Location",
    "Offer",
    "OfferClosed",
    "OfferClosedReason",
    "OfferedOrder",
    "Order",
    "Ping",
    "Pong",
    "Position",
    "Progress",
    "ProgressAck",
    "ProtocolError",
    "PublicOrder",
    "Revoked",
    "Route",
    "Shift",
    "ShiftChanged",
    "Stop",
    "ToCrew",
    "Updated",
    "Welcome",
    "decode_from_crew",
    "decode_to_crew",
    "encode",
    "without_leap_seconds",
]
