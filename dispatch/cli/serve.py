"""`serve`, and the processes that it is made of: `engine`, `planner`, `clocks`, each startable alone."""

from contextlib import ExitStack

import click

from dispatch.cli.options import database_of, with_settings
from dispatch.config import Settings


@click.command()
@with_settings(listen=True, workers=True)
def serve(settings: Settings) -> int:
    """Run the engine: REST, WebSocket and the web apps on one port."""
    from dispatch.supervisor import run_supervisor

    return run_supervisor(settings)


@click.command()
@with_settings(listen=True)
def engine(settings: Settings) -> int:
    """Run one engine process; several share a port and a database."""
    from dispatch.engine import run_engine
    from dispatch.limits import raise_open_file_limit
    from dispatch.ports import shared_socket

    raise_open_file_limit()
    with ExitStack() as stack:
        settings = _with_database(settings, stack)
        sock = stack.enter_context(shared_socket(settings.host, settings.port))
        return run_engine(settings, host=settings.host, port=settings.port, sock=sock)


@click.command()
@with_settings()
def planner(settings: Settings) -> int:
    """Run the process that assigns what nobody grabbed."""
    from dispatch.planner import run_planner

    with ExitStack() as stack:
        return run_planner(_with_database(settings, stack))


@click.command()
@with_settings()
def clocks(settings: Settings) -> int:
    """Run the process that watches the clocks and raises alarms."""
    from dispatch.clockkeeper import run_clockkeeper

    with ExitStack() as stack:
        return run_clockkeeper(_with_database(settings, stack))


def _with_database(settings: Settings, stack: ExitStack) -> Settings:
    """Return the settings with the address of the database filled in."""
    import msgspec

    return msgspec.structs.replace(settings, database_url=stack.enter_context(database_of(settings)))
