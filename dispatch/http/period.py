"""The report of a period: JSON for the page that prints, CSV and XLSX for who reckons on.

Rows are read page by page and no connection is held while they are sent. XLSX can be sent only when it is whole.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from dispatch.alarms import WALLBOARD
from dispatch.city_time import day_of, start_of
from dispatch.errors import Invalid
from dispatch.http.alarms import AlarmOut, alarm_of
from dispatch.http.routing import Call, Download, Routes
from dispatch.http.shapes import SummaryRow, aware
from dispatch.http.sla import SLA, summary_rows
from dispatch.http.wallboard import LAST_MINUTE, WATCHERS, Hour, by_minute, check_span, hours_of
from dispatch.ledger import Cell, hour_row, order_row, sum_row
from dispatch.period_files import Workbook, csv_head, csv_part

routes = Routes()
PAGE = 1_000
CHUNK = 64 * 1024
MOST_XLSX_ROWS = 100_000
"""Orders in one workbook: it must be whole before the first byte of it can go out."""

MOST_BREACHES = 500
"""Breaches that the printed page lists; the files have every order."""

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv"
USUAL_SEVERITY = 2


class PeriodReport(Struct, frozen=True, rename={"from_": "from"}):
    """What became of the orders reported in a time. `breaches` are the alarms that fired in it, the newest first.

    `clocks` are the whole city's, `zones` each zone's; `claims` count how orders came to their crews;
    `arrival_target_s` is that of an order of usual severity, as it is set now.
    """

    from_: datetime
    to: datetime
    made_at: datetime
    time_zone: str
    city_name: str
    reports: int
    clocks: list[SummaryRow]
    zones: list[SummaryRow]
    hours: list[Hour]
    usual_days: int
    arrivals: list[int]
    claims: dict[str, int]
    breaches: list[AlarmOut]
    more_breaches: bool
    arrival_target_s: float


class PeriodQuery(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """From when until when, as `json` (sums), `csv` (each order) or `xlsx` (both); today where nothing is given."""

    from_: datetime | None = None
    to: datetime | None = None
    format: Literal["json", "csv", "xlsx"] = "json"


@routes.read(
    "/sla/report", roles=WATCHERS, query=PeriodQuery, answer=PeriodReport, gives=("application/json", CSV, XLSX)
)
async def get_report(call: Call) -> PeriodReport | Download:
    """Report on a period: sums as JSON, each order as CSV, both as XLSX."""
    query: PeriodQuery = call.query
    zone = ZoneInfo(call.engine.settings.time_zone)
    since = aware(query.from_, "from") or start_of(day_of(call.engine.now(), zone), zone)
    until = aware(query.to, "to") or start_of(day_of(since, zone) + timedelta(days=1), zone)
    check_span(since, until)
    name = f"qiangdan-sla-{since.astimezone(zone):%Y%m%dT%H%M}-{until.astimezone(zone):%Y%m%dT%H%M}"
    if query.format == "csv":
        return Download(f"{CSV}; charset=utf-8", f"{name}.csv", _csv(call, since, until, zone))
    report = await _sums(call, since, until)
    if query.format == "json":
        return report
    if report.reports > MOST_XLSX_ROWS:
        detail = (
            f"{report.reports} orders are too many for a workbook of {MOST_XLSX_ROWS}; ask for less time, or for csv"
        )
        raise Invalid.field("/to", detail)
    return Download(XLSX, f"{name}.xlsx", _xlsx(call, report, zone))


async def _sums(call: Call, since: datetime, until: datetime) -> PeriodReport:
    hours = await hours_of(call, since, until, days=28)
    nothing = (None, None, None, None)
    async with call.engine.db.long_read() as fetch:
        by_zone, whole = summary_rows(await fetch(SLA["summary"], call.city, since, until, None))
        arrivals = await fetch(WALLBOARD["arrivals"], call.city, since, until, LAST_MINUTE)
        claims = await fetch(WALLBOARD["claims"], call.city, since, until)
        alarms = await fetch(
            WALLBOARD["alarms"], call.city, "breached", since, None, *nothing, None, MOST_BREACHES + 1, until
        )
    return PeriodReport(
        from_=since,
        to=until,
        made_at=call.engine.now(),
        time_zone=call.engine.settings.time_zone,
        city_name=call.mirror.name,
        reports=sum(row["count"] for row in claims),
        clocks=whole,
        zones=by_zone,
        hours=hours.items,
        usual_days=hours.usual_days,
        arrivals=by_minute(arrivals),
        claims={row["claimed_by"]: row["count"] for row in claims},
        breaches=[alarm_of(row) for row in alarms[:MOST_BREACHES]],
        more_breaches=len(alarms) > MOST_BREACHES,
        arrival_target_s=call.mirror.city.targets.target_s("arrival", USUAL_SEVERITY),
    )


def _zone_names(call: Call) -> dict[str, str]:
    zones = call.mirror.city.zones
    return {zone.id: zone.name for zone in zones.zone_map.zones} if zones else {}


async def _pages(call: Call, since: datetime, until: datetime, zone: ZoneInfo) -> AsyncIterator[list[list[Cell]]]:
    """Yield the ledger, a page at a time."""
    names = _zone_names(call)
    after: tuple[Any, Any] = (None, None)
    while True:
        async with call.engine.db.connection() as conn:
            rows = await conn.fetch(WALLBOARD["ledger"], call.city, since, until, *after, PAGE)
        yield [order_row(row, names, zone) for row in rows]
        if len(rows) < PAGE:
            return
        after = rows[-1]["reported_at"], rows[-1]["order_id"]


async def _csv(call: Call, since: datetime, until: datetime, zone: ZoneInfo) -> AsyncGenerator[bytes, None]:
    head = csv_head()
    async for page in _pages(call, since, until, zone):
        yield head + csv_part(page)
        head = b""


async def _xlsx(call: Call, report: PeriodReport, zone: ZoneInfo) -> AsyncGenerator[bytes, None]:
    names = _zone_names(call)
    with TemporaryDirectory(prefix="qiangdan-report-") as folder:
        file = Path(folder) / "report.xlsx"
        book = Workbook(file, f"{report.city_name} {report.from_.astimezone(zone):%Y-%m-%d}")
        book.add_sums(
            [sum_row(row, names, whole=True) for row in report.clocks] + [sum_row(row, names) for row in report.zones]
        )
        book.add_hours(hour_row(hour, zone) for hour in report.hours)
        book.begin_ledger()
        async for page in _pages(call, report.from_, report.to, zone):
            await asyncio.to_thread(book.write, page)
        await asyncio.to_thread(book.close)
        with file.open("rb") as whole:
            while part := await asyncio.to_thread(whole.read, CHUNK):
                yield part
