"""Commands that read a file: `zones check`, `reports import`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dispatch.cli.options import database_of, with_settings
from dispatch.config import Settings
from dispatch.operator_errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from geo import Zone

FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


@click.group()
def zones() -> None:
    """Zones: `check` a file before it is imported."""


@zones.command()
@click.argument("file", type=FILE)
def check(file: Path) -> int:
    """Say what is wrong with a map of zones: each overlap and gap with its place and area."""
    from geo.zones import survey_zones

    found = survey_zones(file.read_bytes())
    errors = [f"{problem.detail} ({problem.pointer})" for problem in found.problems]
    errors += _policies(found.zones)
    for error in errors:
        click.echo(f"error: {error}")
    for warning in found.warnings:
        click.echo(f"warning: {warning.detail} ({warning.pointer})")
    if found.cut:
        click.echo("There may be more than is listed here: mend these, and check again.")
    if not found.gaps_known:
        click.echo("Gaps are looked for once every zone can be read.")
    if errors:
        click.echo(f"{file} cannot be used: {len(errors)} problem(s) to mend.", err=True)
        return 1
    click.echo(f"{file} is good: {len(found.zones)} zones, {len(found.warnings)} warnings.")
    return 0


def _policies(zones: "Mapping[str, Zone]") -> "Iterator[str]":
    """Say what is wrong with the grab policies of zones, as a server would."""
    from dispatch.errors import Invalid
    from dispatch.policy import GrabPolicy, read_policy

    for pointer, zone in zones.items():
        try:
            read_policy(zone.policy, GrabPolicy(), pointer=f"{pointer}/properties/policy")
        except Invalid as error:
            for problem in error.problems:
                yield f"the policy of zone {zone.id!r}: {problem.detail} ({problem.pointer})"


@click.group()
def reports() -> None:
    """Reports: `import` them from a file."""


@reports.command("import")
@click.argument("file", type=FILE)
@click.option("--city", default="default", show_default=True, help="The city that the reports are for.")
@with_settings()
def import_(settings: Settings, *, file: Path, city: str) -> int:
    """Take the reports of a CSV or JSON lines file; lines that could not be taken are listed."""
    from dispatch.errors import NotFound
    from dispatch.importing import import_reports

    with database_of(settings) as url:
        try:
            return import_reports(settings, url, file, city=city)
        except NotFound:
            raise OperatorError(f"There is no city {city}: see 'qiangdan city list'.") from None
