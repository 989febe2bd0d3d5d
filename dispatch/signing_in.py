"""Signing in by a link, and signing out.

An administrator shows a technician a QR code, the phone exchanges what is in it for a token. A link's code is kept by
its hash, works once, and for a quarter of an hour. The token is made from the code and from a secret of the device's
own, so that a phone that lost the answer may ask again and gets the same one, and nobody else who has seen the link
gets any.

Signing out makes tokens void; its event lets every engine forget them and close the sockets that they opened.
"""

from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from hmac import digest
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from dispatch.access import ADMIN, hash_of, issue_token, role_of_user
from dispatch.errors import Impossible, LinkGone, NotFound
from dispatch.events import Event
from dispatch.store.sql import load
from dispatch.store.tx import LOG

if TYPE_CHECKING:
    from dispatch.store import Tx

PHONES = load("phones")
LIFE = timedelta(minutes=15)


class SignInIn(Struct, frozen=True, forbid_unknown_fields=True):
    """What a phone found in the link, and a secret that it made up: the same at every try, never shown to anybody."""

    code: Annotated[str, Meta(min_length=1, max_length=200)]
    device: Annotated[str, Meta(min_length=16, max_length=200)]


class SignInOut(Struct, frozen=True):
    """The crew's token, and who it is."""

    token: str
    crew: str
    name: str


async def make_code(tx: "Tx", crew_id: str, *, actor: str, code: str | None = None) -> tuple[str, datetime]:
    """Keep a code (a fresh one where none is given) for a crew; return it and when it ends. Raises `NotFound`."""
    if await tx.conn.fetchval(LOG["find_crew_id"], tx.city_id, crew_id) is None:
        raise NotFound(f"no crew {crew_id} in this city")
    code = code or token_urlsafe(24)
    row = (hash_of(code), tx.city_id, crew_id, actor, tx.now, tx.now + LIFE)
    expires_at: datetime = await tx.conn.fetchval(PHONES["insert_code"], *row)
    return code, expires_at


async def exchange(tx: "Tx", given: SignInIn) -> SignInOut:
    """Exchange a code for the crew's token; raise `LinkGone` where that cannot be (any more)."""
    row = await tx.conn.fetchrow(PHONES["lock_code"], hash_of(given.code))
    if row is None:
        raise LinkGone
    device = hash_of(given.device)
    if row["device_hash"] is not None and row["device_hash"] != device:
        raise LinkGone("this link was used on another device; ask for another")
    if row["expires_at"] < tx.now:
        raise LinkGone("this link is older than 15 minutes; ask for another")
    text = urlsafe_b64encode(digest(given.code.encode(), given.device.encode(), "sha256")).decode().rstrip("=")
    token = await issue_token(tx.conn, tx.city_id, role="crew", subject=row["crew_id"], token=f"qd_{text}")
    await tx.conn.execute(PHONES["use_code"], hash_of(given.code), device, tx.now)
    return SignInOut(token, row["crew_id"], row["name"])


async def sign_out(tx: "Tx", crew_id: str, token_id: str | None, *, actor: str) -> int:
    """Make one of a crew's tokens void, or all of them, and its links; return how many tokens that were.

    Raises `NotFound` where there is no such crew or token. The event lets every engine close the crew's socket.
    """
    if await tx.conn.fetchval(LOG["find_crew_id"], tx.city_id, crew_id) is None:
        raise NotFound(f"no crew {crew_id} in this city")
    gone = await tx.conn.fetch(LOG["revoke_tokens"], tx.city_id, "crew", crew_id, token_id)
    if token_id is not None and not gone:
        raise NotFound(f"crew {crew_id} has no token {token_id}")
    await tx.conn.execute(PHONES["drop_codes"], tx.city_id, crew_id)
    tx.record(Event.of_crew("crew.signed_out", crew_id, actor=actor, token=token_id))
    return len(gone)


async def sign_out_user(tx: "Tx", user_id: str, token_id: str | None, *, actor: str) -> int:
    """Make one of a user's tokens void, or all of them; return how many that were.

    Raises `NotFound` where there is no such user or token, `Impossible` for the last of an administrator.
    """
    role = await role_of_user(tx.conn, tx.city_id, user_id)
    if role is None:
        raise NotFound(f"no user {user_id} in this city")
    held = await tx.conn.fetch(LOG["lock_admin_tokens"], tx.city_id) if role == ADMIN else []
    gone = await tx.conn.fetch(LOG["revoke_tokens"], tx.city_id, role, user_id, token_id)
    if token_id is not None and not gone:
        raise NotFound(f"user {user_id} has no token {token_id}")
    if held and {row["token_hash"] for row in held} <= {row["token_hash"] for row in gone}:
        raise Impossible("no administrator could sign in any more; issue another administrator's token first")
    if gone:
        tx.record(Event.of_city("user.signed_out", actor=actor, user=user_id, token=token_id))
    return len(gone)
