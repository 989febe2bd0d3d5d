"""What goes in and out of routes beside the structs of the steps; the published OpenAPI document shows these."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Raw, Struct, field

from crew_client.protocol import Contact, PublicOrder
from dispatch.access import IssuedToken
from dispatch.consequences import Delay
from dispatch.crews import Skill, ZoneId
from dispatch.errors import Problem
from dispatch.hub import CrewRow
from dispatch.problems import instant
from dispatch.zoning import Preview

Limit = Annotated[int, Meta(ge=1, le=500, description="at most so many items")]
Seq = Annotated[int, Meta(ge=0, le=2**62)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]


class ProblemDocument(Struct, frozen=True):
    """RFC 9457: what went wrong; `code` is stable, `errors` point at wrong fields, `order` is the current one."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[Problem] = []
    order: PublicOrder | None = None


class CrewIn(Struct, frozen=True, forbid_unknown_fields=True):
    """A crew to be: `capacity` is how many orders it may hold at once."""

    name: Name
    skills: Annotated[tuple[Skill, ...], Meta(max_length=64)] | None = ()
    home_zone: ZoneId | None = None
    capacity: Annotated[int, Meta(ge=1, le=1000)] | None = 1


class CrewOut(CrewRow, frozen=True, kw_only=True):
    """A crew with what it does and where it is; `position_age_s` is the age of the last fix in seconds."""

    position_age_s: float | None
    score: float


class ShiftIn(Struct, frozen=True, forbid_unknown_fields=True):
    """A dispatcher's word on a crew's shift; the reason is kept, and told to the crew."""

    on: bool
    reason: Annotated[str, Meta(min_length=1, max_length=2000)]


class UserIn(Struct, frozen=True, forbid_unknown_fields=True):
    """A user to be."""

    name: Name
    role: Literal["admin", "dispatcher", "monitor", "intake"]


class UserOut(Struct, frozen=True):
    """A user."""

    id: str
    name: str
    role: str


class TokenOut(Struct, frozen=True):
    """A token, shown this once."""

    token: str


class UserPage(Struct, frozen=True):
    """A page of users."""

    items: list[UserOut]
    next: str | None = None


class TokenPage(Struct, frozen=True):
    """The tokens of a crew or user, the oldest first."""

    items: list[IssuedToken]
    next: str | None = None


class RevokeIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Which token becomes void, by its `id` of the list; null means every one."""

    token: Annotated[str, Meta(min_length=1, max_length=64)] | None = None


class Revocation(Struct, frozen=True):
    """How many tokens became void."""

    revoked: int


class MeOut(Struct, frozen=True):
    """Whose token it is: a user's or a crew's id in `subject`, and what he is called; `time_zone` is the city's."""

    role: Literal["admin", "dispatcher", "monitor", "intake", "crew"]
    subject: str
    name: str | None
    city: str
    city_name: str
    time_zone: str


class OrderPage(Struct, frozen=True):
    """A page of orders."""

    items: list[PublicOrder]
    next: str | None = None


class CrewPage(Struct, frozen=True):
    """A page of crews."""

    items: list[CrewOut]
    next: str | None = None


class ReportOut(Struct, frozen=True):
    """A report as it was taken, and its order."""

    id: str
    order: PublicOrder
    report: Raw | None = None


class EventOut(Struct, frozen=True, omit_defaults=True):
    """An event of the city's log."""

    seq: int
    at: datetime
    kind: str
    actor: str
    data: dict[str, Any]
    order: str | None = None
    crew: str | None = None


class EventPage(Struct, frozen=True):
    """Events from a position on; ask again with `after` = `last`."""

    items: list[EventOut]
    last: int


class GrabOut(Struct, frozen=True):
    """Who asked for an order, and what came of it."""

    crew: str
    id: str
    cycle: int
    at: datetime
    eta_s: float | None
    distance_m: float | None
    reason: str | None


class OrderDetail(PublicOrder, frozen=True, kw_only=True):
    """An order with its whole story; `people` has the names of the users in it, by actor."""

    timeline: list[EventOut]
    grabs: list[GrabOut]
    decisions: list[dict[str, Any]]
    description: str | None = None
    contact: Contact | None = None
    merged_into: str | None = None
    transferred_to: str | None = None
    people: dict[str, str] = field(default_factory=dict)


class CandidateOut(Struct, frozen=True):
    """A crew seen from an order: why him, why not, and what would follow.

    `eta_s` is the way from where the crew is; `arrives_s` comes after what it would finish first. `delays` are the
    orders that it holds and would reach later.
    """

    crew: str
    eta_s: float | None
    distance_m: float | None
    eligible: bool
    reasons: tuple[str, ...]
    arrives_s: float | None = None
    delays: tuple[Delay, ...] = ()


class CandidatePage(Struct, frozen=True):
    """Crews ranked for an order, the best first."""

    items: list[CandidateOut]
    next: str | None = None


class OverrideResult(Struct, frozen=True, omit_defaults=True):
    """What became of one override of a list: the order in `result`, or the problem.

    `order` is the one that the item named, empty where it named none; `current` is that order as it is now, where the
    item's version was an older one. `errors` point into the list.
    """

    order: str
    status: int
    result: Raw | None = None
    code: str | None = None
    detail: str | None = None
    current: PublicOrder | None = None
    errors: tuple[Problem, ...] = ()


class OverrideResults(Struct, frozen=True):
    """What became of each override of a list, in its order."""

    items: list[OverrideResult]


class ZoneMapOut(Struct, frozen=True):
    """The map that is in force now."""

    version: int
    zones: int
    warnings: list[dict[str, Any]]


class ZoneCheck(Struct, frozen=True):
    """What is wrong and what is odd about a map, and what it would change; `moves` is null where it is wrong."""

    problems: list[dict[str, Any]]
    warnings: list[dict[str, Any]]
    moves: Preview | None = None


class ZoneSplitIn(Struct, frozen=True, forbid_unknown_fields=True):
    """A Polygon or MultiPolygon, and the LineString that cuts it."""

    geometry: dict[str, Any]
    line: dict[str, Any]


class ZoneJoinIn(Struct, frozen=True, forbid_unknown_fields=True):
    """The shapes of zones that are to be one."""

    geometries: Annotated[tuple[dict[str, Any], ...], Meta(min_length=2, max_length=100)]


class ZoneParts(Struct, frozen=True):
    """Shapes that an edit has made, the largest first."""

    geometries: list[dict[str, Any]]


class LocateOut(Struct, frozen=True):
    """The zone of a place, null outside every zone."""

    zone: str | None


class SummaryRow(Struct, frozen=True):
    """One clock in one zone; `share` is the part met of those decided, percentiles are seconds."""

    clock: str
    zone: str | None
    count: int
    met: int
    share: float | None
    p50: float | None
    p90: float | None
    p99: float | None
    at_risk: int
    breached: int


class Summary(Struct, frozen=True):
    """The clocks of the orders reported in a time; `all` has each clock over every zone, on each page."""

    items: list[SummaryRow]
    next: str | None = None
    all: list[SummaryRow] = []


class ClockRow(Struct, frozen=True):
    """One clock of one order; `remaining_s` is negative past the deadline."""

    order: str
    clock: str
    state: str
    due_at: datetime
    remaining_s: float
    zone: str | None
    severity: int
    started_at: datetime
    stopped_at: datetime | None
    pause_reason: str | None


class ClockPage(Struct, frozen=True):
    """A page of clocks, the next due first; those that were met by their orders, the newest first."""

    items: list[ClockRow]
    next: str | None = None


class ListQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """A page of a list."""

    limit: Limit = 100
    cursor: Annotated[str, Meta(max_length=400)] | None = None


class OrderQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which orders; several states are parted by commas."""

    state: Annotated[str, Meta(max_length=200)] | None = None
    zone: ZoneId | None = None
    crew: Annotated[str, Meta(max_length=64)] | None = None
    limit: Limit = 100
    cursor: Annotated[str, Meta(max_length=400)] | None = None


class EventQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Events after a position."""

    after: Seq = 0
    limit: Limit = 100


class ZonesQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """The version that the new map began from; refused where another is in force by now."""

    based_on: Annotated[int, Meta(ge=0, le=2**31)] | None = None


class LocateQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """A place, in degrees."""

    lon: Annotated[float, Meta(ge=-180, le=180)]
    lat: Annotated[float, Meta(ge=-90, le=90)]
    crs: Literal["wgs84", "gcj02", "bd09"] = "wgs84"


class SummaryQuery(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """Orders reported from `from` until before `to`."""

    from_: datetime | None = None
    to: datetime | None = None
    zone: ZoneId | None = None
    limit: Limit = 500
    cursor: Annotated[str, Meta(max_length=400)] | None = None


class ClockQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Clocks in one state."""

    state: Literal["running", "at_risk", "breached", "met", "paused"] | None = None
    limit: Limit = 100
    cursor: Annotated[str, Meta(max_length=400)] | None = None


def aware(moment: datetime | None, name: str) -> datetime | None:
    """Return the time in UTC; raise `Invalid` where it has no offset."""
    return None if moment is None else instant(moment, f"/{name}")
