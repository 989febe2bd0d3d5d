"""`qiangdan reports import`: the reports of a file through step 1, beside a running server or without one.

Each batch is one transaction of `intake.take_report`; engines hear of it through the log, as of anything else. Every
line has an external id (`report_files` makes one where it is missing), so a batch may be done again after a lost
connection, and a file a second time, without taking anything twice.
"""

import asyncio
import csv
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click
from ulid import ULID

from dispatch.cities import load_city
from dispatch.errors import Invalid
from dispatch.intake import Taken, take_report
from dispatch.report_files import Line, Rejected, read_lines, rejection
from dispatch.store import Database
from dispatch.store.connect import connected
from dispatch.store.crews import CREWS
from dispatch.store.migrate import check_schema
from dispatch.store.rows import crew_of

if TYPE_CHECKING:
    from dispatch.city import City
    from dispatch.config import Settings
    from dispatch.crews import Crew
    from dispatch.store import Tx

BATCH = 200
ACTOR = "system:import"
SHOWN = 20
"""How many rejected lines are shown; the file beside holds them all."""


@dataclass
class Tally:
    """What became of the lines."""

    taken: int = 0
    known: int = 0
    rejected: list[Rejected] = field(default_factory=list)


def import_reports(settings: "Settings", database_url: str, file: Path, *, city: str) -> int:
    """Take the reports of a file and say what became of them; return 1 where a line could not be taken, else 0.

    Those lines are listed, and written to FILE.rejected.csv. Raises `FileUnreadable` for a file that is none of
    reports, `NotFound` for a city that does not exist.
    """
    lines = read_lines(file)
    tally = Tally(rejected=[line for line in lines if isinstance(line, Rejected)])
    good = [line for line in lines if isinstance(line, Line)]
    with _progress(len(good)) as advance:
        asyncio.run(_take_all(settings, database_url, good, city_id=city, tally=tally, advance=advance))
    tally.rejected.sort(key=lambda rejected: rejected.number)
    _tell(tally, file)
    return 1 if tally.rejected else 0


async def _take_all(
    settings: "Settings",
    url: str,
    lines: Sequence[Line],
    *,
    city_id: str,
    tally: Tally,
    advance: Callable[[int], None],
) -> None:
    async with connected(url) as connection:
        await check_schema(connection)
    db = Database(url, size=2)
    try:
        async with db.connection() as conn:
            city = await load_city(conn, city_id, settings)
        for start in range(0, len(lines), BATCH):
            batch = lines[start : start + BATCH]
            async with db.connection() as conn:
                crews = [crew_of(row) for row in await conn.fetch(CREWS["find_crews"], city_id, None)]
            await _take(db, batch, city=city, crews=crews, tally=tally)
            advance(len(batch))
    finally:
        await db.close()


async def _take(db: Database, batch: Sequence[Line], *, city: "City", crews: "Sequence[Crew]", tally: Tally) -> None:
    """Take a batch as one transaction and count it."""

    async def step(tx: "Tx") -> list[Taken | Rejected]:
        return [await _take_line(tx, line, city, crews) for line in batch]

    for outcome in await db.run(city.id, step, repeatable=True):
        if isinstance(outcome, Rejected):
            tally.rejected.append(outcome)
        elif outcome.fresh:
            tally.taken += 1
        else:
            tally.known += 1


async def _take_line(tx: "Tx", line: Line, city: "City", crews: "Sequence[Crew]") -> Taken | Rejected:
    try:
        return await take_report(
            tx, line.report, city=city, crews=crews, report_id=f"r{ULID()}", order_id=f"o{ULID()}", actor=ACTOR
        )
    except Invalid as error:  # before anything was written
        return rejection(line.number, error)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr, where somebody looks on; give the function to call with how many more are done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("导入报修 importing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=total)
        yield lambda count: bar.advance(task, count)


def _tell(tally: Tally, file: Path) -> None:
    click.echo(f"{tally.taken} reports taken, {tally.known} had been taken before, {len(tally.rejected)} rejected.")
    for line in tally.rejected[:SHOWN]:
        click.echo(f"line {line.number}: {f'{line.field}: ' if line.field else ''}{line.why}")
    if len(tally.rejected) > SHOWN:
        click.echo(f"... and {len(tally.rejected) - SHOWN} more")
    beside = file.with_name(f"{file.name}.rejected.csv")
    if not tally.rejected:
        return
    try:
        with beside.open("w", encoding="utf-8-sig", newline="") as opened:
            opened.write(_as_csv(tally.rejected))
        click.echo(f"These lines are listed in {beside}.")
    except OSError as error:
        click.echo(f"{beside} could not be written: {error.strerror}.", err=True)


def _as_csv(rejected: Sequence[Rejected]) -> str:
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(("line", "field", "why"))
    rows.writerows((line.number, line.field, line.why) for line in rejected)
    return text.getvalue()
