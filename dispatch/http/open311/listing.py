"""GeoReport's requests as they are read: lists, one, and the id behind a token."""

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from msgspec import Struct
from sanic import HTTPResponse, Request

from dispatch.errors import NotFound
from dispatch.georeport import Details, RequestOfToken, ServiceRequest, service_request
from dispatch.georeport_form import RequestsAsked, read_question
from dispatch.http.open311.formats import Document, written
from dispatch.http.open311.keys import Reader, name_of, query_of, reader_of
from dispatch.problems import is_text
from dispatch.store.orders import ORDERS
from dispatch.store.rows import order_of

if TYPE_CHECKING:
    import asyncpg

    from dispatch.engine import Engine


async def get_requests(engine: "Engine", request: Request, _name: str) -> HTTPResponse:
    """List requests, the newest first; a `Link` says where the next page is."""
    given = query_of(request)
    reader = await reader_of(engine, request, given)
    asked = read_question(given, engine.now())
    found = await _find(engine, reader, asked)
    # In a thread, since a thousand of them would keep everybody's sockets waiting.
    response = await asyncio.to_thread(lambda: written(request, Document("service_requests", found.requests())))
    if found.more:
        following = {**given.values, "page": [str(asked.page + 1)]}
        response.headers["Link"] = f'<{request.path}?{urlencode(following, doseq=True)}>; rel="next"'
    return response


async def get_request(engine: "Engine", request: Request, request_id: str) -> HTTPResponse:
    """Show one request, as a list of one."""
    return written(request, Document("service_requests", [await _find_one(engine, request, request_id)]))


async def get_token(engine: "Engine", request: Request, token: str) -> HTTPResponse:
    """Show the id of a request that was given a token in its place; here the token is the id."""
    found = await _find_one(engine, request, token)
    return written(request, Document("service_requests", [RequestOfToken(found.service_request_id, token)]))


class Found(Struct, frozen=True):
    """Orders of a city as they were found, `details` by order; `more` says that there is another page."""

    rows: "list[asyncpg.Record]"
    details: "dict[str, asyncpg.Record]"
    agency: str
    zone: ZoneInfo
    whole: bool
    more: bool

    def requests(self) -> list[ServiceRequest]:
        """Return them as GeoReport has them."""
        return [
            service_request(
                order_of(row),
                Details(row["description"], detail["updated_at"], detail["media_url"], self.agency),
                zone=self.zone,
                whole=self.whole,
            )
            for row in self.rows
            for detail in (self.details[row["order_id"]],)
        ]


async def _find_one(engine: "Engine", request: Request, request_id: str) -> ServiceRequest:
    reader = await reader_of(engine, request, query_of(request))
    now = engine.now()
    ids = [request_id] if "\0" not in request_id and is_text(request_id) else []
    found = await _find(engine, reader, RequestsAsked(now, now, ids=ids))
    if not found.rows:
        raise NotFound(f"service_request_id: {request_id[:64]!r} was not found")
    return found.requests()[0]


async def _find(engine: "Engine", reader: Reader, asked: RequestsAsked) -> Found:
    """Return a page of requests, the newest first; raise `NotFound` where there is no such city."""
    async with engine.db.snapshot() as conn:
        agency = await name_of(conn, reader.city)
        rows = await _rows(conn, reader.city, asked)
        page = rows[: asked.size]
        details = await conn.fetch(ORDERS["request_details"], reader.city, [row["order_id"] for row in page])
    return Found(
        rows=page,
        details={row["order_id"]: row for row in details},
        agency=agency,
        zone=ZoneInfo(engine.settings.time_zone),
        whole=reader.whole,
        more=len(rows) > asked.size,
    )


async def _rows(conn: "asyncpg.Connection[asyncpg.Record]", city: str, asked: RequestsAsked) -> "list[asyncpg.Record]":
    """Return the orders of a page and, where there is one, the first of the next."""
    if asked.ids is not None:
        rows = await conn.fetch(ORDERS["find_orders"], city, asked.ids)
        return sorted(rows, key=lambda row: (row["reported_at"], row["order_id"]), reverse=True)
    which, only = ("list_open_requests", ()) if asked.open else ("list_requests", (asked.open,))
    span = (city, asked.since, asked.until, asked.codes)
    return list(await conn.fetch(ORDERS[which], *span, *only, asked.size + 1, asked.skip))
