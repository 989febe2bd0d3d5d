"""Options that several commands share, and the settings and database that follow from them."""

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from dispatch.config import Settings, load_settings
from dispatch.logs import configure_logs
from dispatch.operator_errors import EmbeddedPostgresError
from dispatch.store.connect import Connection, connected
from dispatch.store.embedded import running_database
from dispatch.store.embedded.folder import DataFolder

F = TypeVar("F", bound=Callable[..., Any])

_COMMON = (
    click.option("--config", type=click.Path(path_type=Path), help="A TOML file with settings."),
    click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="Default: info."),
    click.option(
        "--log-format", type=click.Choice(["auto", "json", "text"]), help="Default: JSON unless on a terminal."
    ),
    click.option("--debug", is_flag=True, hidden=True, help="Show where an error came from."),
)
_DATABASE = (
    click.option("--data-dir", type=click.Path(path_type=Path), help="The data folder. Default: ./qiangdan-data."),
    click.option("--database-url", help="A PostgreSQL of yours; without it, the data folder's own is used."),
)
_LISTEN = (
    click.option("--host", help="The address to listen on. Default: 127.0.0.1."),
    click.option("--port", type=click.IntRange(0, 65_535), help="The port to listen on. Default: 8000."),
)


def with_settings(*, database: bool = True, listen: bool = False, workers: bool = False) -> Callable[[F], F]:
    """Give a command the options that its settings come from; it is called with `settings` in their place."""

    def decorate(function: F) -> F:
        @click.pass_context
        @functools.wraps(function)
        def command(ctx: click.Context, /, config: Path | None, debug: bool, **options: Any) -> Any:
            flags = {name: options.pop(name) for name in list(options) if name in Settings.__struct_fields__}
            settings = load_settings(config, flags)
            configure_logs(settings.log_level, settings.log_format, process=ctx.obj["process_name"])
            return function(settings, **options)

        worker = click.option("--workers", type=click.IntRange(1, 64), help="Engine processes. Default: 1.")
        options = [*(_LISTEN if listen else ()), *((worker,) if workers else ()), *(_DATABASE if database else ())]
        for option in reversed([*options, *_COMMON]):
            command = option(command)
        return command  # type: ignore[return-value]  # click's decorators do not keep the type

    return decorate


@contextmanager
def database_of(settings: Settings, *, make: bool = False) -> Iterator[str]:
    """Give the address of the database that the settings mean: a URL, or the data folder's, running or not.

    Raises `EmbeddedPostgresError` for a folder with no data in it, unless `make` says that it may be made: a misspelt
    folder shall not become a second, empty installation.
    """
    if settings.database_url is not None:
        yield settings.database_url
        return
    folder = DataFolder(settings.data_dir)
    if not make and not folder.data.exists():
        raise EmbeddedPostgresError(
            f"There is no data in {folder.root}: name the right folder with --data-dir, or begin there with "
            "'qiangdan serve' or 'qiangdan migrate'."
        )
    with running_database(settings.data_dir) as url:
        yield url


@asynccontextmanager
async def connection_to(url: str, *, with_schema: bool = True) -> AsyncIterator[Connection]:
    """Lend a connection for one command; raises where the schema is not this program's."""
    from dispatch.store.migrate import check_schema

    async with connected(url) as connection:
        if with_schema:
            await check_schema(connection)
        yield connection
