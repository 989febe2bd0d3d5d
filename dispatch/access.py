"""Who may do what: tokens and roles. A token belongs to one city, and everything that it sees is that city's.

Tokens are random and long, so their SHA-256 is kept and nothing else; who reads the database cannot use them.
"""

from datetime import datetime
from hashlib import sha256
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from dispatch.store.tx import LOG

if TYPE_CHECKING:
    import asyncpg

Role = Literal["admin", "dispatcher", "monitor", "intake", "crew"]
ADMIN: Role = "admin"
FIRST_ADMIN = "admin"
"""The administrator that every city has from its beginning: he has tokens, and no row among the users."""
EVERY_ROLE: frozenset[Role] = frozenset({"admin", "dispatcher", "monitor", "intake", "crew"})


class Identity(Struct, frozen=True):
    """Whose token it is: a user or crew (`subject`) of a city, with a role."""

    city: str
    role: Role
    subject: str

    @property
    def actor(self) -> str:
        """How events name him."""
        return f"{'crew' if self.role == 'crew' else 'user'}:{self.subject}"

    def may(self, roles: frozenset[Role]) -> bool:
        """Return whether this identity has one of the roles; an administrator has every one but a crew's."""
        return self.role in roles or (self.role == "admin" and roles != frozenset({"crew"}))


def new_token() -> str:
    """Return a fresh token, 256 bits."""
    return f"qd_{token_urlsafe(32)}"


def hash_of(token: str) -> bytes:
    """Return what is kept of a token."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


async def identify(conn: "asyncpg.Connection[asyncpg.Record]", token: str) -> Identity | None:
    """Return whose token it is, None where nobody's."""
    row = await conn.fetchrow(LOG["find_token"], hash_of(token))
    return Identity(row["city_id"], row["role"], row["subject"]) if row else None


async def issue_token(
    conn: "asyncpg.Connection[asyncpg.Record]", city_id: str, *, role: Role, subject: str, token: str | None = None
) -> str:
    """Keep a token (a fresh one where none is given) for a user or crew of a city and return it."""
    token = token or new_token()
    await conn.execute(LOG["insert_token"], hash_of(token), city_id, role, subject)
    return token


class IssuedToken(Struct, frozen=True):
    """A token that was issued: an `id` to name it by (the beginning of its hash), never the token itself."""

    id: str
    issued_at: datetime


async def role_of_user(conn: "asyncpg.Connection[asyncpg.Record]", city_id: str, user_id: str) -> Role | None:
    """Return what a user may do, None where the city has no such user."""
    if user_id == FIRST_ADMIN:
        return ADMIN
    row = await conn.fetchrow(LOG["find_account"], city_id, user_id)
    return row["role"] if row else None


async def ensure_admin_token(conn: "asyncpg.Connection[asyncpg.Record]", city_id: str, token: str) -> None:
    """Let `token` be one of the city's administrator."""
    await issue_token(conn, city_id, role=ADMIN, subject=FIRST_ADMIN, token=token)
