"""Who asks GeoReport for which city: keys, which are tokens, and jurisdictions, which are cities."""

from typing import TYPE_CHECKING

from msgspec import Struct
from sanic import Request

from dispatch.cities import FIRST_CITY
from dispatch.errors import Forbidden, NotFound
from dispatch.georeport_form import Parameters
from dispatch.http.incoming import bearer
from dispatch.store.tx import LOG

if TYPE_CHECKING:
    import asyncpg

    from dispatch.access import Identity, Role
    from dispatch.engine import Engine

READERS: "frozenset[Role]" = frozenset({"intake", "dispatcher", "monitor"})


class Reader(Struct, frozen=True):
    """Who reads which city; `whole` says whether he sees more than everybody."""

    city: str
    whole: bool


async def reader_of(engine: "Engine", request: Request, given: Parameters) -> Reader:
    """Return who reads which city; a key that is not known is never taken for none."""
    token = bearer(request) or given.one("api_key")
    if token is not None:
        identity = await identify(engine, token, READERS)
        return Reader(city_of(identity, given), whole=True)
    if not engine.settings.open311.public:
        raise Forbidden("api_key: was not provided; reading needs one here")
    return Reader(given.one("jurisdiction_id") or FIRST_CITY, whole=False)


async def identify(engine: "Engine", token: str, roles: "frozenset[Role]") -> "Identity":
    """Return whose key this is; raise `Forbidden`, GeoReport's word for both no key and a wrong one."""
    identity = await engine.identify(token)
    if identity is None:
        raise Forbidden("api_key: is not known")
    if not identity.may(roles):
        raise Forbidden(f"api_key: needs role {' or '.join(sorted(roles))}, this one is {identity.role}'s")
    return identity


def city_of(identity: "Identity", given: Parameters) -> str:
    """Return the city of a key; raise `NotFound` where another is asked for."""
    city = given.one("jurisdiction_id")
    if city not in (None, identity.city):
        raise NotFound(f"jurisdiction_id: {str(city)[:64]!r} was not found")
    return identity.city


def query_of(request: Request) -> Parameters:
    """Return the parameters of an address."""
    args = request.get_args(keep_blank_values=True)
    return Parameters({name: args.getlist(name) for name in args})


async def name_of(conn: "asyncpg.Connection[asyncpg.Record]", city: str) -> str:
    """Return what a city is called; raise `NotFound`."""
    row = await conn.fetchrow(LOG["head"], city)
    if row is None:
        raise NotFound(f"jurisdiction_id: {city[:64]!r} was not found")
    return str(row["name"])


async def check_jurisdiction(engine: "Engine", given: Parameters) -> None:
    """Raise `NotFound` where a city is asked for that is not here."""
    if (city := given.one("jurisdiction_id")) is not None:
        async with engine.db.connection() as conn:
            await name_of(conn, city)
