"""Commands that read a file: `zones check`, `reports import`."""

from pathlib import Path

import click

from dispatch.cli.options import database_of, with_settings
from dispatch.config import Settings

FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


@click.group()
def zones() -> None:
    """Zones: `check` a file before it is imported."""


@zones.command()
@click.argument("file", type=FILE)
def check(file: Path) -> int:
    """Say what is wrong with a map of zones: each overlap and gap with its place and area."""
    from geo.zones import ZoneMapError, parse_zones

    try:
        found = parse_zones(file.read_bytes())
    except ZoneMapError as error:
        for problem in error.problems:
            click.echo(f"error: {problem.detail} ({problem.pointer})")
        click.echo(f"{file} cannot be used: {len(error.problems)} problem(s) to mend.", err=True)
        return 1
    for warning in found.warnings:
        click.echo(f"warning: {warning.detail} ({warning.pointer})")
    click.echo(f"{file} is good: {len(found.zones)} zones, {len(found.warnings)} warnings.")
    return 0


@click.group()
def reports() -> None:
    """Reports: `import` them from a file."""


@reports.command("import")
@click.argument("file", type=FILE)
@click.option("--city", default="default", show_default=True, help="The city that the reports are for.")
@with_settings()
def import_(settings: Settings, *, file: Path, city: str) -> int:
    """Take the reports of a CSV or JSON lines file; lines that could not be taken are listed."""
    from dispatch.importing import import_reports

    with database_of(settings) as url:
        return import_reports(settings, url, file, city=city)
