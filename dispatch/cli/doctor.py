"""`doctor`: what is wrong here and how to mend it."""

import asyncio
from collections.abc import Iterator

import click

from dispatch.cli.options import database_of, with_settings
from dispatch.config import Settings
from dispatch.doctor import Finding, check_database, check_machine
from dispatch.operator_errors import OperatorError
from dispatch.store.embedded.folder import DataFolder


@click.command()
@with_settings(listen=True)
def doctor(settings: Settings) -> int:
    """Say what is wrong with this installation, and how to mend it; status 1 where something is."""
    good = True
    for finding in _findings(settings):
        good = good and finding.good
        mark = click.style("ok     ", fg="green") if finding.good else click.style("problem", fg="red")
        click.echo(f"{mark} {finding.subject}: {finding.detail}")
    return 0 if good else 1


def _findings(settings: Settings) -> Iterator[Finding]:
    yield from check_machine(settings)
    if settings.database_url is None and not DataFolder(settings.data_dir).data.exists():
        yield Finding("database", True, "none yet; 'qiangdan serve' makes one in the data folder")
        return
    try:
        with database_of(settings) as url:
            yield from asyncio.run(_collected(url))
    except OperatorError as error:
        yield Finding("database", False, str(error))


async def _collected(url: str) -> list[Finding]:
    return [finding async for finding in check_database(url)]
