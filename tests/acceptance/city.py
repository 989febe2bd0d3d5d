"""A city of the installation: its tokens, its map, its people, and the requests that a test makes of it."""

import itertools
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from msgspec import Struct

from dispatch.access import issue_token
from dispatch.cities import add_city
from tests.acceptance.documents import AsyncApi, OpenApi
from tests.acceptance.sockets import Console, Phone

Body = dict[str, Any]
WEST, SOUTH, SIDE = 126.60, 45.74, 0.01
COLUMNS, ROWS = 4, 2

_numbers = itertools.count(1)


class Installation(Struct, frozen=True):
    """Where the processes are; `other_url` is the second engine."""

    database_url: str
    url: str
    other_url: str
    openapi: OpenApi
    asyncapi: AsyncApi
    folder: Path


class Crew(Struct, frozen=True):
    """A crew and its token."""

    id: str
    token: str


def zone_id(column: int, row: int = 0) -> str:
    """The id of a zone of the usual map."""
    return f"z{column}{row}"


def centre(column: int, row: int = 0) -> tuple[float, float]:
    """The middle of a zone of the usual map: longitude, latitude."""
    return round(WEST + (column + 0.5) * SIDE, 6), round(SOUTH + (row + 0.5) * SIDE, 6)


def square(column: int, row: int, *, name: str | None = None, policy: Body | None = None) -> Body:
    """A zone of the usual map as a GeoJSON feature."""
    west, south = round(WEST + column * SIDE, 6), round(SOUTH + row * SIDE, 6)
    east, north = round(west + SIDE, 6), round(south + SIDE, 6)
    properties: Body = {"id": zone_id(column, row), "name": name or f"片区 {column}-{row}"}
    if policy is not None:
        properties["policy"] = policy
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": [ring]}}


def usual_map(policy: Body | None = None) -> Body:
    """Four by two squares, each with the same policy."""
    features = [square(column, row, policy=policy) for row in range(ROWS) for column in range(COLUMNS)]
    return {"type": "FeatureCollection", "features": features}


class City:
    """One city and everybody's way into it."""

    def __init__(self, installation: Installation, id: str, tokens: dict[str, str], stack: AsyncExitStack) -> None:
        self.installation = installation
        self.id = id
        self.tokens = tokens
        self._stack = stack
        self.http = httpx.AsyncClient(base_url=installation.url, timeout=30, trust_env=False, verify=False)
        self.http.event_hooks["response"].append(self._hold_georeport_to_the_document)

    @classmethod
    async def make(
        cls, installation: Installation, connection: "asyncpg.Connection[asyncpg.Record]", stack: AsyncExitStack
    ) -> "City":
        """Make a city with a token for each role that people have."""
        id = f"city-{next(_numbers)}"
        tokens = {"admin": await add_city(connection, id, "城")}
        city = cls(installation, id, tokens, stack)
        await stack.enter_async_context(city.http)
        for role in ("dispatcher", "monitor", "intake"):
            tokens[role] = await issue_token(connection, id, role=role, subject=f"u-{role}")
        return city

    async def _hold_georeport_to_the_document(self, response: httpx.Response) -> None:
        request = response.request
        if request.url.path.startswith("/open311/") and request.method in ("GET", "POST"):
            await response.aread()
            self.installation.openapi.check(response)

    async def call(
        self, method: str, path: str, *, role: str | None = "admin", token: str | None = None, **more: Any
    ) -> httpx.Response:
        """Make a request under `/api/v1`; the answer is held to the OpenAPI document."""
        token = token or (self.tokens[role] if role else None)
        headers = dict(more.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        response = await self.http.request(method, f"/api/v1{path}", headers=headers, **more)
        self.installation.openapi.check(response)
        return response

    async def get(self, path: str, *, role: str = "admin", **query: Any) -> Any:
        """Return what a route shows."""
        response = await self.call("GET", path, role=role, params=query)
        assert response.status_code == 200, response.text
        return response.json()

    async def post(self, path: str, body: Any = None, *, role: str = "admin", expect: int = 201, **more: Any) -> Any:
        """Return what a route answers to a body."""
        response = await self.call("POST", path, role=role, json=body, **more)
        assert response.status_code == expect, response.text
        return response.json()

    async def put_zones(self, policy: Body | None = None) -> Body:
        """Put the usual map in force."""
        response = await self.call("PUT", "/zones", json=usual_map(policy))
        assert response.status_code == 200, response.text
        answer: Body = response.json()
        return answer

    async def report(self, column: int = 0, row: int = 0, **fields: Any) -> Body:
        """Report a fault in the middle of a zone and return the order."""
        lon, lat = centre(column, row)
        body = {"channel": "test", "category": "no_heat", "severity": 2, "location": {"lon": lon, "lat": lat}, **fields}
        answer = await self.post("/reports", {name: value for name, value in body.items() if value is not None})
        order: Body = answer["order"]
        return order

    async def order(self, order_id: str) -> Body:
        """An order with its whole story."""
        found: Body = await self.get(f"/orders/{order_id}")
        return found

    async def override(self, order_id: str, action: str, *, expect: int = 200, **fields: Any) -> Body:
        """Do something to an order as a dispatcher."""
        body = {"action": action, "reason": "test", **fields}
        answer: Body = await self.post(f"/orders/{order_id}/override", body, role="dispatcher", expect=expect)
        return answer

    async def crew(self, column: int = 0, row: int = 0, **fields: Any) -> Crew:
        """Make a crew of a zone, with a token."""
        body = {"name": "班组", "skills": [], "home_zone": zone_id(column, row), "capacity": 1, **fields}
        made = await self.post("/crews", body)
        issued = await self.post(f"/crews/{made['id']}/tokens")
        return Crew(made["id"], issued["token"])

    async def phone(self, crew: Crew, *, other_engine: bool = False) -> Phone:
        """Connect a crew's phone; it is hung up when the test ends."""
        url = self.installation.other_url if other_engine else self.installation.url
        phone = await Phone.open(url, self.installation.asyncapi, token=crew.token)
        return await self._stack.enter_async_context(phone)

    async def working(
        self, column: int = 0, row: int = 0, *, at: tuple[float, float] | None = None, **fields: Any
    ) -> tuple[Crew, Phone]:
        """Make a crew that is on shift in the middle of its zone, or at a place, and able to grab."""
        crew = await self.crew(column, row, **fields)
        phone = await self.phone(crew)
        await phone.on_shift(*(at or centre(column, row)))
        await self.until_placed(crew)
        return crew, phone

    async def until_placed(self, crew: Crew) -> None:
        """Wait until the city knows where a crew is."""
        from tests.acceptance.waiting import until

        async def placed() -> bool:
            crews = (await self.get("/crews", limit=500))["items"]
            return any(c["id"] == crew.id and c["position"] is not None for c in crews)

        await until(placed)

    async def console(self, role: str = "dispatcher", *, other_engine: bool = False) -> Console:
        """Connect a screen; it is closed when the test ends."""
        url = self.installation.other_url if other_engine else self.installation.url
        console = await Console.open(url, self.installation.asyncapi, token=self.tokens[role])
        return await self._stack.enter_async_context(console)

    async def events(self, after: int = 0) -> list[Body]:
        """The city's event log from a position on."""
        items: list[Body] = []
        while True:
            page = await self.get("/events", after=after, limit=500)
            if not page["items"]:
                return items
            items += page["items"]
            after = page["last"]
