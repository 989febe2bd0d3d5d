"""Routes of the clocks, for SLA monitors (step 9)."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from dispatch.errors import Invalid
from dispatch.http.routing import Call, Page, Routes
from dispatch.http.shapes import ClockPage, ClockQuery, ClockRow, Summary, SummaryQuery, SummaryRow, aware, page_of
from dispatch.store.sql import load

if TYPE_CHECKING:
    from dispatch.access import Role

routes = Routes()
MONITOR: "frozenset[Role]" = frozenset({"monitor"})
SLA = load("sla")


@routes.read("/sla/summary", roles=MONITOR, query=SummaryQuery, answer=Summary)
async def get_summary(call: Call) -> Page:
    """Sum up the clocks of the orders reported in a time, per clock and zone."""
    query: SummaryQuery = call.query
    async with call.engine.db.connection() as conn:
        rows = await conn.fetch(
            SLA["summary"], call.city, aware(query.from_, "from"), aware(query.to, "to"), query.zone
        )
    return Page(*page_of([SummaryRow(**row) for row in rows], query))


@routes.read("/sla/clocks", roles=MONITOR, query=ClockQuery, answer=ClockPage)
async def get_clocks(call: Call) -> Page:
    """List clocks, the next due first."""
    query: ClockQuery = call.query
    after = _read_cursor(query.cursor)
    async with call.engine.db.connection() as conn:
        rows = await conn.fetch(SLA["clocks"], call.city, query.state, *after, query.limit + 1)
    page = [
        ClockRow(
            order=row["order_id"],
            clock=row["clock"],
            state=row["state"],
            due_at=row["due_at"],
            remaining_s=round(row["remaining_s"], 3),
            zone=row["zone"],
            severity=row["severity"],
            started_at=row["started_at"],
            stopped_at=row["stopped_at"],
            pause_reason=row["pause_reason"],
        )
        for row in rows[: query.limit]
    ]
    return Page(page, _cursor(page[-1]) if len(rows) > len(page) else None)


def _cursor(row: ClockRow) -> str:
    return urlsafe_b64encode(msgspec.json.encode((row.due_at, row.order, row.clock))).decode()


def _read_cursor(cursor: str | None) -> tuple[Any, Any, Any]:
    if cursor is None:
        return None, None, None
    try:
        return msgspec.json.decode(urlsafe_b64decode(cursor.encode()), type=tuple[datetime, str, str])
    except (ValueError, msgspec.MsgspecError):
        raise Invalid.field("/cursor", "is not one that this list gave") from None
