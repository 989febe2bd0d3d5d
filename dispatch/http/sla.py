"""Routes of the clocks, for SLA monitors (step 9)."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
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
async def get_summary(call: Call) -> Summary:
    """Sum up the clocks of the orders reported in a time, per clock and zone, and per clock over all zones."""
    query: SummaryQuery = call.query
    async with call.engine.db.connection() as conn:
        rows = await conn.fetch(
            SLA["summary"], call.city, aware(query.from_, "from"), aware(query.to, "to"), query.zone
        )
    by_zone, whole = summary_rows(rows)
    return Summary(*page_of(by_zone, query), all=whole)


def summary_rows(rows: Sequence[Mapping[str, Any]]) -> tuple[list[SummaryRow], list[SummaryRow]]:
    """Return the rows of `summary` per zone, and those over all zones."""
    parts: tuple[list[SummaryRow], list[SummaryRow]] = ([], [])
    for row in rows:
        parts[row["whole"]].append(SummaryRow(**{name: row[name] for name in SummaryRow.__struct_fields__}))
    return parts


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
