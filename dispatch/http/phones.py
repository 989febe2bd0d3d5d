"""Routes for technicians' phones beside their socket: signing in by a link, photos, how the day went."""

from datetime import datetime
from hashlib import sha256
from io import BytesIO
from typing import TYPE_CHECKING, Any

import msgspec
import segno
from msgspec import Struct

from dispatch.access import hash_of
from dispatch.errors import Invalid, LinkGone, NotFound
from dispatch.feedback import WEIGHT
from dispatch.http.people import ADMIN
from dispatch.http.routing import Call, File, Routes
from dispatch.http.shapes import aware
from dispatch.signing_in import PHONES, SignInIn, SignInOut, exchange, make_code
from dispatch.store.crews import CREWS

if TYPE_CHECKING:
    from dispatch.access import Role
    from dispatch.engine import Engine
    from dispatch.store import Tx

routes = Routes()
CREW: "frozenset[Role]" = frozenset({"crew"})
WATCHERS: "frozenset[Role]" = frozenset({"dispatcher", "monitor"})
PICTURES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n": "image/png", b"RIFF": "image/webp"}
"""The first bytes of the pictures that are taken."""


class SignInLink(Struct, frozen=True):
    """A link that signs one phone in, as text and as a QR code to be scanned; shown this once."""

    url: str
    expires_at: datetime
    svg: str


class PhotoOut(Struct, frozen=True):
    """A photo's reference, for `evidence.photo` of a progress message."""

    photo: str


class Done(Struct, frozen=True):
    """An order that the crew was at the door of; `in_time` None where the arrival clock did not decide it."""

    order: str
    category: str
    address: dict[str, Any] | None
    arrived_at: datetime
    in_time: bool | None
    unverified: bool
    resolved_at: datetime | None
    stars: int | None


class DayOut(Struct, frozen=True):
    """A crew's work since a moment. `score` (0 to 1) moves by `weight` of the way towards each new rating's stars."""

    since: datetime
    arrived: int
    in_time: int
    resolved: int
    score: float
    ratings: int
    weight: float
    orders: list[Done]


class DayQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Since when; a phone gives its own midnight."""

    since: datetime


@routes.command("POST", "/crews/<crew_id:str>/sign-in-links", roles=ADMIN, answer=SignInLink, status=201, secret=True)
async def post_sign_in_link(call: Call, tx: "Tx") -> tuple[int, SignInLink]:
    """Make a link that signs a technician's phone in, once, within 15 minutes."""
    code, expires_at = await make_code(
        tx, call.path["crew_id"], actor=call.identity.actor, code=call.derived_secret("sign-in")
    )
    url = f"{call.origin}/crew#code={code}"
    return 201, SignInLink(url, expires_at, qr_code(url))


def qr_code(text: str) -> str:
    """Return a text as the SVG of a QR code, without a size of its own."""
    drawn = BytesIO()
    segno.make(text, error="m").save(drawn, kind="svg", xmldecl=False, omitsize=True, border=4, light="white")
    return drawn.getvalue().decode()


@routes.open("POST", "/sign-in", body=SignInIn, answer=SignInOut)
async def post_sign_in(engine: "Engine", given: SignInIn) -> SignInOut:
    """Exchange the code of a sign-in link for the crew's token; the same device may ask again."""
    async with engine.db.connection() as conn:
        city = await conn.fetchval(PHONES["city_of_code"], hash_of(given.code))
    if city is None:
        raise LinkGone
    return await engine.run(city, lambda tx: exchange(tx, given), repeatable=True)


@routes.command("POST", "/photos", roles=CREW, body=bytes, takes="image/*", answer=PhotoOut, status=201)
async def post_photo(call: Call, tx: "Tx") -> tuple[int, PhotoOut]:
    """Keep a photo (JPEG, PNG or WebP, at most 1 MiB); the same photo again has the same reference."""
    kind = next((kind for start, kind in PICTURES.items() if call.raw.startswith(start)), None)
    if kind is None:
        raise Invalid.field("", "a photo is a JPEG, PNG or WebP picture")
    photo = f"p{sha256(call.identity.subject.encode() + call.raw).hexdigest()[:40]}"
    await tx.conn.execute(PHONES["insert_photo"], tx.city_id, photo, call.identity.subject, kind, call.raw, tx.now)
    return 201, PhotoOut(photo)


@routes.read("/photos/<photo_id:str>", roles=WATCHERS, answer=File)
async def get_photo(call: Call) -> File:
    """Show a photo of a visit."""
    async with call.engine.db.connection() as conn:
        row = await conn.fetchrow(PHONES["find_photo"], call.city, call.path["photo_id"])
    if row is None:
        raise NotFound(f"no photo {call.path['photo_id']} in this city")
    return File(row["content_type"], bytes(row["body"]))


@routes.read("/me/day", roles=CREW, query=DayQuery, answer=DayOut)
async def get_day(call: Call) -> DayOut:
    """Tell a crew what it did since a moment, its score, and what that rests on."""
    since = aware(call.query.since, "since")
    assert since is not None
    async with call.engine.db.connection() as conn:
        rows = await conn.fetch(PHONES["crew_day"], call.city, call.identity.subject, since)
        crew = await conn.fetchrow(CREWS["find_crews"], call.city, [call.identity.subject])
        ratings = await conn.fetchval(PHONES["ratings_of_crew"], call.city, call.identity.subject)
    orders = [_done(row) for row in rows]
    return DayOut(
        since=since,
        arrived=len(orders),
        in_time=sum(order.in_time is True for order in orders),
        resolved=sum(order.resolved_at is not None for order in orders),
        score=crew["score"],
        ratings=ratings,
        weight=WEIGHT,
        orders=orders,
    )


def _done(row: Any) -> Done:
    return Done(
        order=row["order_id"],
        category=row["category"],
        address=msgspec.json.decode(row["address"]) if row["address"] else None,
        arrived_at=row["arrived_at"],
        in_time={"met": True, "breached": False}.get(row["arrival_state"]),
        unverified=row["unverified"],
        resolved_at=row["resolved_at"],
        stars=row["stars"],
    )
