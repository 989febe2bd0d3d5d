"""`demo`: `serve` plus a city that lives; `demo-city` is the process in which it does."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from dispatch.cli.numbers import FiniteRange
from dispatch.cli.options import with_settings
from dispatch.config import Settings
from dispatch.operator_errors import OperatorError

F = TypeVar("F", bound=Callable[..., Any])
DEFAULT_SPEED = 20.0
REPORTS_PER_CREW = 0.75
"""Reports an hour for each crew at speed 1 that keep a fleet busy without swamping it: about half of what it can do."""

_pace = (
    click.option("--reports-per-hour", type=FiniteRange(min=0, min_open=True), help="Default: crews x speed x 3/4."),
    click.option(
        "--speed",
        type=FiniteRange(0.1, 1000),
        default=DEFAULT_SPEED,
        show_default=True,
        help="How many times faster than life crews drive and repair; service clocks stay real.",
    ),
)


def _with_pace(command: F) -> F:
    for option in reversed(_pace):
        command = option(command)
    return command


@click.command()
@click.option("--crews", type=click.IntRange(1, 5000), default=60, show_default=True, help="Simulated crews.")
@_with_pace
@click.option("--seed", type=int, help="Which made-up city. Default: 1, or the one that the data folder holds.")
@with_settings(listen=True, workers=True)
def demo(settings: Settings, *, crews: int, reports_per_hour: float | None, speed: float, seed: int | None) -> int:
    """Run the engine with a generated city, a simulated fleet and residents that report."""
    import httpx
    import msgspec

    from dispatch.children import ChildSpec
    from dispatch.demo import story
    from dispatch.demo.population import settle
    from dispatch.ports import Address
    from dispatch.supervisor import run_supervisor

    settings = msgspec.structs.replace(_quiet_on_a_terminal(settings), demo=True)
    pace = reports_per_hour if reports_per_hour is not None else REPORTS_PER_CREW * crews * speed

    def begin(address: Address, token: str) -> None:
        client = httpx.Client(
            base_url=f"{address.url}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=20,
            trust_env=False,
        )
        try:
            with client, story.settling() as progress:
                people = settle(client, settings.data_dir, crews=crews, seed=seed, progress=progress)
        except httpx.HTTPError as error:
            raise OperatorError(
                f"The demo city could not be set up ({error}): start again, or choose another folder with --data-dir."
            ) from None
        story.tell_where(address.url, people, admin=token, crews=len(people.crews), speed=speed, reports_per_hour=pace)

    story.console.print("正在启动数据库和引擎 starting database and engine ...")
    city = ChildSpec("demo-city", ("demo-city", "--reports-per-hour", f"{pace}", "--speed", f"{speed}"))
    status = run_supervisor(settings, companions=[city], on_ready=begin)
    story.console.print("已停止 stopped; 数据保留 the data stays in " + str(settings.data_dir))
    return status


@click.command("demo-city", hidden=True)
@_with_pace
@with_settings(listen=True)
def demo_city(settings: Settings, *, reports_per_hour: float | None, speed: float) -> int:
    """Run the fleet and the residents of the demo city against the server of the data folder."""
    from dispatch.demo.life import live
    from dispatch.demo.population import Population
    from dispatch.ports import Address

    people = Population.kept_in(settings.data_dir)
    if people is None:
        raise OperatorError(f"There is no demo city in {settings.data_dir}: begin with 'qiangdan demo'.")
    pace = reports_per_hour if reports_per_hour is not None else REPORTS_PER_CREW * len(people.crews) * speed
    return live(Address(settings.host, settings.port).url, people, reports_per_hour=pace, speed=speed)


def _quiet_on_a_terminal(settings: Settings) -> Settings:
    """Return the settings with logs of warnings alone where a person reads along and has not asked for more."""
    import msgspec

    from dispatch.logs import configure_logs

    asked = click.get_current_context().get_parameter_source("log_level") is ParameterSource.COMMANDLINE
    if asked or settings.log_level != "info" or not sys.stderr.isatty():
        return settings
    configure_logs("warning", settings.log_format)
    return msgspec.structs.replace(settings, log_level="warning")
