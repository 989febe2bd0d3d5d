"""Routes of the clocks, for SLA monitors (step 9)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dispatch.http.cursors import cursor_of, page_of, read_cursor
from dispatch.http.routing import Call, Page, Routes
from dispatch.http.shapes import ClockPage, ClockQuery, ClockRow, Summary, SummaryQuery, SummaryRow, aware
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
    async with call.engine.db.long_read() as fetch:
        rows = await fetch(SLA["summary"], call.city, aware(query.from_, "from"), aware(query.to, "to"), query.zone)
    by_zone, whole = summary_rows(rows)
    return Summary(*page_of("summary", by_zone, query), all=whole)


def summary_rows(rows: Sequence[Mapping[str, Any]]) -> tuple[list[SummaryRow], list[SummaryRow]]:
    """Return the rows of `summary` per zone, and those over all zones."""
    parts: tuple[list[SummaryRow], list[SummaryRow]] = ([], [])
    for row in rows:
        parts[row["whole"]].append(SummaryRow(**{name: row[name] for name in SummaryRow.__struct_fields__}))
    return parts


@routes.read("/sla/clocks", roles=MONITOR, query=ClockQuery, answer=ClockPage)
async def get_clocks(call: Call) -> Page:
    """List clocks, the next due first; those that were met by their orders, the newest first."""
    query: ClockQuery = call.query
    rows, after = await (_met_clocks(call, query) if query.state == "met" else _due_clocks(call, query))
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
        for row in rows
    ]
    return Page(page, after)


async def _due_clocks(call: Call, query: ClockQuery) -> tuple[Sequence[Mapping[str, Any]], str | None]:
    """Return a page of clocks by their deadlines, and the cursor of the next."""
    begin = read_cursor("clocks", query.cursor, tuple[datetime, str, str]) or (None, None, None)
    asked = (call.city, query.state, *begin, query.limit + 1)
    if query.state is None:
        async with call.engine.db.long_read() as fetch:
            rows = await fetch(SLA["clocks"], *asked)
    else:
        async with call.engine.db.connection() as conn:
            rows = await conn.fetch(SLA["unmet_clocks"], *asked)
    return _cut(rows, query.limit, "clocks", ("due_at", "order_id", "clock"))


async def _met_clocks(call: Call, query: ClockQuery) -> tuple[Sequence[Mapping[str, Any]], str | None]:
    """Return a page of the clocks that were met, by order, and the cursor of the next."""
    begin = read_cursor("met_clocks", query.cursor, tuple[str, str, datetime]) or (None, None, None)
    async with call.engine.db.long_read() as fetch:
        rows = await fetch(SLA["met_clocks"], call.city, *begin, query.limit + 1)
    return _cut(rows, query.limit, "met_clocks", ("order_id", "clock", "due_at"))


def _cut(
    rows: Sequence[Mapping[str, Any]], limit: int, of: str, by: Sequence[str]
) -> tuple[Sequence[Mapping[str, Any]], str | None]:
    """Return the first `limit` rows, and where there are more the cursor after them."""
    page = rows[:limit]
    return page, cursor_of(of, *(page[-1][name] for name in by)) if len(rows) > limit else None
