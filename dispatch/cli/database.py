"""Commands that touch the database for a moment: `migrate`, `token`, `city`. They work beside a running server too."""

import asyncio
from typing import TYPE_CHECKING, cast

import click

from dispatch.cli.options import connection_to, database_of, with_settings
from dispatch.config import Settings
from dispatch.operator_errors import OperatorError

if TYPE_CHECKING:
    from dispatch.access import Role

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
@click.option("--subject", help="The id of the user or crew; not needed for an administrator.")
@with_settings()
def token(settings: Settings, *, city: str, role: str, subject: str | None) -> None:
    """Issue a token and print it; it is stored hashed and cannot be shown again."""
    if subject is None and role != "admin":
        raise click.UsageError(f"--role {role} needs --subject: the id of the {'crew' if role == 'crew' else 'user'}.")

    async def work(url: str) -> str:
        from dispatch.access import issue_token
        from dispatch.store.subjects import has_city, has_subject

        async with connection_to(url) as connection:
            if not await has_city(connection, city):
                raise OperatorError(f"There is no city {city}: see 'qiangdan city list'.")
            if subject is not None and not await has_subject(connection, city, role=role, subject=subject):
                raise OperatorError(
                    f"The city {city} has no {role} with the id {subject}: make one over the API first."
                )
            return await issue_token(connection, city, role=cast("Role", role), subject=subject or "admin")

    with database_of(settings) as url:
        click.echo(asyncio.run(work(url)))


@click.group()
def city() -> None:
    """Cities, the tenants of one database: `add`, `list`."""


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
