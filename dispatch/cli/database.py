"""Commands that touch the database for a moment: `migrate`, `token`, `city`. They work beside a running server too."""

import asyncio
from typing import TYPE_CHECKING, NamedTuple, cast

import click

from dispatch.cli.options import connection_to, database_of, with_settings
from dispatch.config import Settings
from dispatch.operator_errors import OperatorError

if TYPE_CHECKING:
    from dispatch.access import Role
    from dispatch.store.connect import Connection

ROLES = ("admin", "dispatcher", "monitor", "intake", "crew")


@click.command()
@with_settings()
def migrate(settings: Settings) -> None:
    """Bring the database's schema up to this version."""

    async def work(url: str) -> None:
        from dispatch.store.migrate import check_durability, check_schema
        from dispatch.store.migrate import migrate as apply

        async with connection_to(url, with_schema=False) as connection:
            await check_durability(connection)
            for migration in await apply(connection):
                click.echo(f"applied {migration.version:04d} {migration.name}")
            click.echo(f"The schema is at version {await check_schema(connection)}.")

    with database_of(settings, make=True) as url:
        asyncio.run(work(url))


@click.command()
@click.option("--city", default="default", show_default=True, help="The city that the token is for.")
@click.option("--role", type=click.Choice(ROLES), default="admin", show_default=True, help="What its bearer may do.")
@click.option("--subject", help="The id of the user or crew; not needed for the city's first administrator.")
@click.option("--list", "listed", is_flag=True, help="List the tokens that were issued, by their ids, instead.")
@click.option("--revoke", metavar="ID", help="Make the token of this id (of --list) void instead, or 'all' of them.")
@with_settings()
def token(settings: Settings, *, city: str, role: str, subject: str | None, listed: bool, revoke: str | None) -> None:
    """Issue a token and print it; it is stored hashed and cannot be shown again. Or list tokens, or revoke them."""
    if subject is None and role != "admin":
        raise click.UsageError(f"--role {role} needs --subject: the id of the {'crew' if role == 'crew' else 'user'}.")
    if listed and revoke is not None:
        raise click.UsageError("--list and --revoke are two commands: give one of them.")
    whose = Bearer(city, cast("Role", role), subject)
    with database_of(settings) as url:
        if listed:
            for line in asyncio.run(_list(url, whose)):
                click.echo(line)
        elif revoke is not None:
            count = asyncio.run(_revoke(url, whose, None if revoke == "all" else revoke))
            click.echo(f"{count} revoked")
        else:
            click.echo(asyncio.run(_issue(url, whose)))


class Bearer(NamedTuple):
    """Whose tokens they are; no `subject` means the city's first administrator."""

    city: str
    role: "Role"
    subject: str | None

    @property
    def id(self) -> str:
        """The id of the user or crew."""
        from dispatch.access import FIRST_ADMIN

        return self.subject or FIRST_ADMIN


async def _issue(url: str, whose: Bearer) -> str:
    from dispatch.access import issue_token

    async with connection_to(url) as connection:
        await _check(connection, whose)
        return await issue_token(connection, whose.city, role=whose.role, subject=whose.id)


async def _list(url: str, whose: Bearer) -> list[str]:
    from dispatch.store.tx import LOG

    async with connection_to(url) as connection:
        await _check(connection, whose)
        rows = await connection.fetch(LOG["tokens_of"], whose.city, whose.role, whose.id)
    return [f"{row['token_id']}\t{row['created_at']:%Y-%m-%dT%H:%M:%SZ}" for row in rows]


async def _revoke(url: str, whose: Bearer, token_id: str | None) -> int:
    """Sign out as the API does; the engines see it in the log within a second."""
    from dispatch.signing_in import sign_out, sign_out_user
    from dispatch.store import Database

    async with connection_to(url) as connection:
        await _check(connection, whose)
    database = Database(url, size=1)
    do = sign_out if whose.role == "crew" else sign_out_user
    try:
        return await database.run(whose.city, lambda tx: do(tx, whose.id, token_id, actor="system:command-line"))
    finally:
        await database.close()


async def _check(connection: "Connection", whose: Bearer) -> None:
    from dispatch.access import FIRST_ADMIN
    from dispatch.store.subjects import has_city, has_subject

    if not await has_city(connection, whose.city):
        raise OperatorError(f"There is no city {whose.city}: see 'qiangdan city list'.")
    if (whose.role, whose.id) == ("admin", FIRST_ADMIN):
        return
    if not await has_subject(connection, whose.city, role=whose.role, subject=whose.id):
        raise OperatorError(
            f"The city {whose.city} has no {whose.role} with the id {whose.id}: make one over the API first."
        )


@click.group()
def city() -> None:
    """Cities, the tenants of one database: `add`, `rename`, `list`."""


@city.command("add")
@click.argument("city_id", metavar="ID")
@click.argument("name")
@with_settings()
def add(settings: Settings, *, city_id: str, name: str) -> None:
    """Make another city and print its administrator's token."""
    from dispatch.cities import is_city_id

    async def work(url: str) -> str:
        from dispatch.cities import add_city
        from dispatch.errors import Conflict

        async with connection_to(url) as connection:
            try:
                return await add_city(connection, city_id, name)
            except Conflict:
                raise OperatorError(
                    f"There is a city {city_id} already: choose another id, or get another token for it with "
                    f"'qiangdan token --city {city_id}'."
                ) from None

    if not is_city_id(city_id):
        raise click.UsageError(f"{city_id!r} is no id of a city: give 1 to 64 letters, digits, - or _, as in harbin-2.")
    with database_of(settings) as url:
        click.echo(asyncio.run(work(url)))


@city.command("rename")
@click.argument("city_id", metavar="ID")
@click.argument("name")
@with_settings()
def rename(settings: Settings, *, city_id: str, name: str) -> None:
    """Name a city, such as `default`. Engines that run show it after their next start."""

    async def work(url: str) -> None:
        from dispatch.cities import rename_city
        from dispatch.errors import NotFound

        async with connection_to(url) as connection:
            try:
                await rename_city(connection, city_id, name)
            except NotFound:
                raise OperatorError(f"There is no city {city_id}: see 'qiangdan city list'.") from None

    if not name.strip():
        raise click.UsageError("The name is empty: give one that people know the city by.")
    with database_of(settings) as url:
        asyncio.run(work(url))


@city.command("list")
@with_settings()
def list_(settings: Settings) -> None:
    """List the cities: id and name, one a line."""

    async def work(url: str) -> list[tuple[str, str]]:
        from dispatch.cities import list_cities

        async with connection_to(url) as connection:
            return [(row["city_id"], row["name"]) for row in await list_cities(connection)]

    with database_of(settings) as url:
        for city_id, name in asyncio.run(work(url)):
            click.echo(f"{city_id}\t{name}")
