"""Routes of alarms: the list, and the word that somebody has seen one (step 9)."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Struct
from ulid import ULID

from dispatch.alarms import WALLBOARD, AcknowledgeIn, acknowledge
from dispatch.clocks import AlarmKind
from dispatch.http.cursors import cursor_of, read_cursor
from dispatch.http.routing import Call, Page, Routes
from dispatch.http.shapes import Limit, aware
from dispatch.http.wallboard import WATCHERS
from dispatch.problems import instant

if TYPE_CHECKING:
    from dispatch.store import Tx

routes = Routes()


class AlarmNote(Struct, frozen=True):
    """That somebody has seen an alarm, and what he says; the first of an alarm acknowledges it."""

    at: datetime
    actor: str
    name: str | None
    note: str | None


class AlarmOut(Struct, frozen=True):
    """An alarm that has fired at `at`; `stopped_at` is when its clock stopped at last, null while it runs."""

    order: str
    clock: str
    deadline: datetime
    kind: AlarmKind
    at: datetime
    zone: str | None
    category: str
    severity: int
    state: str
    address: dict[str, Any] | None
    crew: str | None
    stopped_at: datetime | None
    notes: list[AlarmNote]


class AlarmPage(Struct, frozen=True):
    """A page of alarms, the newest first."""

    items: list[AlarmOut]
    next: str | None = None


class AlarmQuery(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """Which alarms: that fired from `from` until before `to`, that were acknowledged or not."""

    kind: AlarmKind = "breached"
    acknowledged: bool | None = None
    from_: datetime | None = None
    to: datetime | None = None
    order: Annotated[str, Meta(max_length=64)] | None = None
    limit: Limit = 100
    cursor: Annotated[str, Meta(max_length=400)] | None = None


@routes.read("/sla/alarms", roles=WATCHERS, query=AlarmQuery, answer=AlarmPage)
async def get_alarms(call: Call) -> Page:
    """List alarms with what was said about them, the newest first."""
    query: AlarmQuery = call.query
    since, until = aware(query.from_, "from"), aware(query.to, "to")
    after = read_cursor("alarms", query.cursor, tuple[datetime, str, str, datetime]) or (None, None, None, None)
    async with call.engine.db.connection() as conn:
        rows = await conn.fetch(
            WALLBOARD["alarms"],
            *(call.city, query.kind, since, query.acknowledged, *after, query.order, query.limit + 1, until),
        )
    page = [alarm_of(row) for row in rows[: query.limit]]
    return Page(
        page,
        cursor_of("alarms", page[-1].at, page[-1].order, page[-1].clock, page[-1].deadline)
        if len(rows) > len(page)
        else None,
    )


@routes.command("POST", "/orders/<order_id:str>/acknowledge", roles=WATCHERS, body=AcknowledgeIn, answer=AlarmOut)
async def post_acknowledge(call: Call, tx: "Tx") -> tuple[int, AlarmOut]:
    """Say that an alarm of an order was seen, and what is to be said about it; further notes may follow."""
    seen: AcknowledgeIn = call.body
    order_id = call.path["order_id"]
    await acknowledge(tx, order_id, seen, note_id=str(ULID()), actor=call.identity.actor)
    deadline = instant(seen.deadline, "/deadline")
    nothing = (None, None, None, None)
    rows = await tx.conn.fetch(WALLBOARD["alarms"], tx.city_id, seen.alarm, None, None, *nothing, order_id, 500, None)
    return 200, alarm_of(next(row for row in rows if (row["clock"], row["deadline"]) == (seen.clock, deadline)))


def alarm_of(row: Any) -> AlarmOut:
    """Return the alarm that a row of `alarms` holds."""
    return AlarmOut(
        order=row["order_id"],
        clock=row["clock"],
        deadline=row["deadline"],
        kind=row["kind"],
        at=row["at"],
        zone=row["zone"],
        category=row["category"],
        severity=row["severity"],
        state=row["state"],
        address=msgspec.json.decode(row["address"]) if row["address"] else None,
        crew=row["crew_id"],
        stopped_at=row["stopped_at"],
        notes=msgspec.json.decode(row["notes"], type=list[AlarmNote]) if row["notes"] else [],
    )
