"""Routes of crews, users and their tokens."""

from functools import partial
from typing import TYPE_CHECKING

import msgspec
from ulid import ULID

from dispatch.access import FIRST_ADMIN, IssuedToken, issue_token, role_of_user
from dispatch.crews import Crew, CrewChange, ShiftWord, add_crew, change_crew
from dispatch.errors import Invalid, NotFound
from dispatch.http.cursors import cursor_of, read_cursor
from dispatch.http.routing import Call, Page, Routes
from dispatch.http.shapes import (
    CrewIn,
    CrewOut,
    CrewPage,
    ListQuery,
    MeOut,
    Revocation,
    RevokeIn,
    ShiftIn,
    TokenOut,
    TokenPage,
    UserIn,
    UserOut,
    UserPage,
)
from dispatch.hub import crew_row
from dispatch.signing_in import sign_out, sign_out_user
from dispatch.store.crews import CREWS
from dispatch.store.rows import crew_of
from dispatch.store.tx import LOG

if TYPE_CHECKING:
    import asyncpg

    from dispatch.access import Role
    from dispatch.store import Tx

routes = Routes()
ADMIN: "frozenset[Role]" = frozenset({"admin"})
DISPATCHER: "frozenset[Role]" = frozenset({"dispatcher"})


@routes.command("POST", "/crews", roles=ADMIN, body=CrewIn, answer=CrewOut, status=201)
async def post_crew(call: Call, tx: "Tx") -> tuple[int, CrewOut]:
    """Make a crew."""
    given: CrewIn = call.body
    crew = Crew(
        id=f"c{ULID()}",
        name=given.name,
        skills=tuple(dict.fromkeys(given.skills or ())),
        home_zone=given.home_zone,
        capacity=given.capacity or 1,
    )
    await add_crew(tx, crew, actor=call.identity.actor)
    return 201, _shown(crew, None)


@routes.command("PATCH", "/crews/<crew_id:str>", roles=DISPATCHER, body=CrewChange, answer=CrewOut)
async def patch_crew(call: Call, tx: "Tx") -> tuple[int, CrewOut]:
    """Change what a crew can do, where it belongs, and the zones that it is lent to."""
    zones = call.mirror.city.zones
    crew = await change_crew(
        tx, call.path["crew_id"], call.body, zones=zones.ids if zones else (), actor=call.identity.actor
    )
    return 200, _newest(crew, call)


@routes.batch("POST", "/crews/<crew_id:str>/shift", roles=DISPATCHER, body=ShiftIn, answer=CrewOut)
async def post_crew_shift(call: Call) -> CrewOut:
    """Begin or end a crew's shift in its stead; the crew is told, and what it holds stays with it."""
    given: ShiftIn = call.body
    if not given.reason.strip():
        raise Invalid.field("/reason", "say why; it is kept")
    crew_id, word = call.path["crew_id"], ShiftWord(call.identity.actor, given.reason)
    await call.engine.crews.set_shift(call.city, crew_id, given.on, word=word)
    async with call.engine.db.connection() as conn:
        [row] = await conn.fetch(CREWS["find_crews"], call.city, [crew_id])
    return _newest(crew_of(row), call)


@routes.command("POST", "/crews/<crew_id:str>/tokens", roles=ADMIN, answer=TokenOut, status=201, secret=True)
async def post_crew_token(call: Call, tx: "Tx") -> tuple[int, TokenOut]:
    """Issue a token for a crew; it is shown this once."""
    crew_id = call.path["crew_id"]
    if await tx.conn.fetchval(LOG["find_crew_id"], tx.city_id, crew_id) is None:
        raise NotFound(f"no crew {crew_id} in this city")
    token = call.derived_token()
    return 201, TokenOut(await issue_token(tx.conn, tx.city_id, role="crew", subject=crew_id, token=token))


@routes.read("/crews/<crew_id:str>/tokens", roles=ADMIN, answer=TokenPage)
async def get_crew_tokens(call: Call) -> TokenPage:
    """List the tokens with which a crew can sign in; none is shown, each has a name."""
    crew_id = call.path["crew_id"]
    async with call.engine.db.connection() as conn:
        if await conn.fetchval(LOG["find_crew_id"], call.city, crew_id) is None:
            raise NotFound(f"no crew {crew_id} in this city")
        rows = await conn.fetch(LOG["tokens_of"], call.city, "crew", crew_id)
    return TokenPage([IssuedToken(row["token_id"], row["created_at"]) for row in rows])


@routes.command("POST", "/crews/<crew_id:str>/tokens/revoke", roles=ADMIN, body=RevokeIn, answer=Revocation)
async def post_revoke_crew_tokens(call: Call, tx: "Tx") -> tuple[int, Revocation]:
    """Make a lost phone's token void, or every token of the crew; its sockets are closed."""
    revoked = await sign_out(tx, call.path["crew_id"], call.body.token, actor=call.identity.actor)
    call.afterwards = partial(call.engine.sign_out, call.city, call.path["crew_id"])
    return 200, Revocation(revoked)


@routes.read("/crews", roles=DISPATCHER, query=ListQuery, answer=CrewPage)
async def get_crews(call: Call) -> Page:
    """List crews with what they do and where they are."""
    (after,) = read_cursor("crews", call.query.cursor, tuple[str]) or (None,)
    async with call.engine.db.connection() as conn:
        rows = await conn.fetch(CREWS["find_crews"], call.city, None)
    crews = [crew_of(row) for row in rows if after is None or row["crew_id"] > after]
    page = crews[: call.query.limit]
    return Page(
        [_newest(crew, call) for crew in page], cursor_of("crews", page[-1].id) if len(crews) > len(page) else None
    )


def _newest(crew: Crew, call: Call) -> CrewOut:
    """Return a crew with the newest position that this engine knows."""
    known = call.mirror.crews.get(crew.id)
    if known and known.position_at and (crew.position_at is None or known.position_at > crew.position_at):
        crew = msgspec.structs.replace(crew, position=known.position, position_at=known.position_at)
    if not crew.on_shift:
        crew = msgspec.structs.replace(crew, position=None, position_at=None)
    age = (call.engine.now() - crew.position_at).total_seconds() if crew.position_at else None
    return _shown(crew, age)


def _shown(crew: Crew, age_s: float | None) -> CrewOut:
    age = None if age_s is None else round(max(age_s, 0.0), 1)
    return CrewOut(**msgspec.structs.asdict(crew_row(crew)), position_age_s=age, score=crew.score)


@routes.read("/me", answer=MeOut)
async def get_me(call: Call) -> MeOut:
    """Tell whose token this is."""
    who = call.identity
    async with call.engine.db.connection() as conn:
        city = await conn.fetchrow(LOG["head"], who.city)
        if who.role == "crew":
            found = await conn.fetchrow(CREWS["find_crews"], who.city, [who.subject])
        else:
            found = await conn.fetchrow(LOG["find_account"], who.city, who.subject)
    name = found["name"] if found else None
    return MeOut(who.role, who.subject, name, who.city, city["name"], call.engine.settings.time_zone)


@routes.command("POST", "/users", roles=ADMIN, body=UserIn, answer=UserOut, status=201)
async def post_user(call: Call, tx: "Tx") -> tuple[int, UserOut]:
    """Make a user."""
    user_id = f"u{ULID()}"
    await tx.conn.execute(LOG["insert_account"], tx.city_id, user_id, call.body.name, call.body.role)
    return 201, UserOut(user_id, call.body.name, call.body.role)


@routes.read("/users", roles=ADMIN, query=ListQuery, answer=UserPage)
async def get_users(call: Call) -> Page:
    """List users, the administrator that every city has among them."""
    (after,) = read_cursor("users", call.query.cursor, tuple[str]) or (None,)
    async with call.engine.db.connection() as conn:
        rows = await conn.fetch(LOG["list_users"], call.city, FIRST_ADMIN, after, call.query.limit + 1)
    page = [UserOut(row["user_id"], row["name"], row["role"]) for row in rows[: call.query.limit]]
    return Page(page, cursor_of("users", page[-1].id) if len(rows) > len(page) else None)


@routes.command("POST", "/users/<user_id:str>/tokens", roles=ADMIN, answer=TokenOut, status=201, secret=True)
async def post_user_token(call: Call, tx: "Tx") -> tuple[int, TokenOut]:
    """Issue a token for a user; it is shown this once."""
    user_id = call.path["user_id"]
    role = await _role_of(call, tx.conn)
    token = call.derived_token()
    return 201, TokenOut(await issue_token(tx.conn, tx.city_id, role=role, subject=user_id, token=token))


@routes.read("/users/<user_id:str>/tokens", roles=ADMIN, answer=TokenPage)
async def get_user_tokens(call: Call) -> TokenPage:
    """List the tokens with which a user can sign in; none is shown, each has a name."""
    async with call.engine.db.connection() as conn:
        rows = await conn.fetch(LOG["tokens_of"], call.city, await _role_of(call, conn), call.path["user_id"])
    return TokenPage([IssuedToken(row["token_id"], row["created_at"]) for row in rows])


@routes.command("POST", "/users/<user_id:str>/tokens/revoke", roles=ADMIN, body=RevokeIn, answer=Revocation)
async def post_revoke_user_tokens(call: Call, tx: "Tx") -> tuple[int, Revocation]:
    """Make a user's token void, or every one of his; 409 for the last that an administrator of the city has."""
    revoked = await sign_out_user(tx, call.path["user_id"], call.body.token, actor=call.identity.actor)
    call.afterwards = partial(call.engine.sign_out, call.city, call.path["user_id"])
    return 200, Revocation(revoked)


async def _role_of(call: Call, conn: "asyncpg.Connection[asyncpg.Record]") -> "Role":
    user_id = call.path["user_id"]
    role = await role_of_user(conn, call.city, user_id)
    if role is None:
        raise NotFound(f"no user {user_id} in this city")
    return role
