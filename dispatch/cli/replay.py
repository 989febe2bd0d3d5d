"""`replay`: the city's own logged day under another policy, beside what really happened."""

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from dispatch.cli.options import connection_to, database_of, with_settings
from dispatch.cli.simulate import FILE, POLICIES, print_table, write
from dispatch.config import Settings
from dispatch.operator_errors import OperatorError

if TYPE_CHECKING:
    from dispatch.city import City
    from dispatch.simulate.replay import LoggedDay


class Moment(click.ParamType[datetime]):
    """A time with its offset from UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the moment that a text names."""
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None or not 2000 <= moment.year < 9000:
            told = f"{value!r} is no time with its offset since the year 2000, as in 2026-01-15T00:00:00+08:00"
            self.fail(told, param, ctx)
        return moment


@click.command()
@click.option("--from", "start", type=Moment(), required=True, help="Reports taken from this time on, with its offset.")
@click.option("--to", "end", type=Moment(), required=True, help="And before this one.")
@click.option("--policy", type=click.Choice(POLICIES), default="hybrid", show_default=True, help="Who is sent where.")
@click.option("--city", "city_id", default="default", show_default=True, help="The city whose log is read.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the crews' dice.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Write visits.csv and compare.html there."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--behaviour", type=FILE, help="How crews behave: a TOML file.")
@with_settings()
def replay(
    settings: Settings,
    *,
    start: datetime,
    end: datetime,
    policy: str,
    city_id: str,
    seed: int,
    out: Path | None,
    as_json: bool,
    behaviour: Path | None,
) -> None:
    """Run a logged period again under another policy, and show the difference to what really happened."""
    from dispatch.simulate import runs
    from dispatch.simulate.behaviour import read_behaviour
    from dispatch.simulate.replay import reached_by
    from dispatch.simulate.results import visits_csv

    if end <= start:
        raise click.UsageError("--to must be later than --from.")
    dice = read_behaviour(behaviour)
    with database_of(settings) as url:
        city, day = asyncio.run(_read(url, settings, city_id, start, end))
    outcome = runs.simulate(
        day.scenario, city, policy, behaviour=dice, seed=seed, as_configured=True, standing=day.standing
    )
    outcome = reached_by(end, outcome)
    both = [day.outcome, outcome]
    if out is not None:
        from dispatch.simulate.page import render

        write(out / "visits.csv", visits_csv(outcome.visits))
        write(out / "compare.html", render(runs.compare(day.scenario, city, both, seed=seed)))
    if as_json:
        click.echo(json.dumps(_figures(day, both), ensure_ascii=False))
        return
    print_table(both, difference=True)
    unserved = ", ".join(f"{one.policy} {one.summary.unserved}" for one in both)
    click.echo(f"Both end at --to: what nobody had reached by then is unserved in either ({unserved}).")
    if taken_over := len(day.standing.orders):
        click.echo(f"{taken_over} orders were open at the beginning and were taken over as they stood.")
    if day.left_out:
        click.echo(
            f"{day.left_out} reports were left out: without a place, on a dispatcher's list all the while, or "
            "cancelled, merged or handed on unvisited."
        )


async def _read(url: str, settings: Settings, city_id: str, start: datetime, end: datetime) -> "tuple[City, LoggedDay]":
    from dispatch.cities import load_city
    from dispatch.errors import NotFound
    from dispatch.simulate.replay import logged_day, read_rows
    from optimizer.demand import Demand

    async with connection_to(url) as connection:
        try:
            city = await load_city(connection, city_id, settings)
            # What the city has learned of where reports come from knows the replayed day already.
            city = msgspec.structs.replace(city, forecasts=msgspec.structs.replace(city.forecasts, demand=Demand()))
        except NotFound:
            raise OperatorError(f"There is no city {city_id}: see 'qiangdan city list'.") from None
        day = logged_day(await read_rows(connection, city_id, start, end), city, start, end)
    if not day.scenario.reports:
        raise OperatorError(
            f"The log of {city_id} has no report with a place from {start} to {end}: name another time."
        )
    return city, day


def _figures(day: "LoggedDay", both: list[Any]) -> dict[str, Any]:
    from dispatch.simulate.results import as_json, difference

    logged, again = both
    return {
        "as_logged": as_json(logged.summary),
        again.policy: as_json(again.summary),
        "difference": difference(logged.summary, again.summary),
        "taken_over": len(day.standing.orders),
        "left_out": day.left_out,
    }
