"""Bad days: the database goes away, the disk is full, a client stops reading or hangs up, an engine must go.

Nobody is told anything false meanwhile, and everybody gets his answer when it is over.
"""

import asyncio
import os
import random
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from crew_client import CrewClient, backoff
from dispatch.store.embedded import EmbeddedPostgres
from tests.processes import Serving
from tests.town import ZONES, centre, zone_map

TOKEN = "bad-days-administrator"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]


class Place:
    """An installation on a PostgreSQL of its own, and everybody's way into it."""

    def __init__(self, serving: Serving, postgres: EmbeddedPostgres) -> None:
        self.serving = serving
        self.postgres = postgres
        self.numbers = 0

    @property
    def url(self) -> str:
        return self.serving.url

    async def call(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {TOKEN}", **more.pop("headers", {})}
        async with httpx.AsyncClient(trust_env=False, verify=False, timeout=20) as client:
            return await client.request(method, f"{self.url}{path}", json=body, headers=headers, **more)

    async def api(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        answer = await self.call(method, f"/api/v1{path}", body, **more)
        assert answer.is_success, answer.text
        return answer.json()

    async def crew(self, zone: int = 0, *, capacity: int = 20) -> tuple[str, str]:
        """Make a crew and return its id and token."""
        self.numbers += 1
        body = {"name": f"班组{self.numbers}", "home_zone": ZONES[zone], "capacity": capacity, "skills": []}
        crew = (await self.api("POST", "/crews", body))["id"]
        return crew, (await self.api("POST", f"/crews/{crew}/tokens"))["token"]

    async def report(self, zone: int = 0) -> str:
        """Report a fault and return the order's id."""
        lon, lat = centre(zone)
        body = {"channel": "test", "category": "no_heat", "location": {"lon": lon, "lat": lat}}
        order: str = (await self.api("POST", "/reports", body))["order"]["id"]
        return order

    async def fetch(self, sql: str) -> list[Any]:
        connection = await asyncpg.connect(self.postgres.url)
        try:
            return list(await connection.fetch(sql))
        finally:
            await connection.close()

    def crash(self) -> None:
        """Stop PostgreSQL as `pg_ctl stop -m immediate` does."""
        assert self.postgres.pid
        os.kill(self.postgres.pid, signal.SIGQUIT)
        self.postgres.wait()

    async def restart(self) -> None:
        """Start PostgreSQL again."""
        self.postgres.launch()
        await asyncio.to_thread(self.postgres.wait_until_ready)


@asynccontextmanager
async def at_work(place: Place, token: str, zone: int = 0) -> AsyncIterator[CrewClient]:
    """Connect a crew that is on shift in the middle of its zone."""
    client = CrewClient(
        place.url,
        token,
        rng=random.Random(1),
        delays=lambda rng: backoff.jittered(rng, first_s=0.1, longest_s=0.5),
    )
    async with client:
        await client.shift(True)
        await client.position(*centre(zone))
        yield client


async def until(holds: Any, *, within_s: float) -> float:
    """Wait until something holds and return how long that took."""
    begun = monotonic()
    while not (await holds() if asyncio.iscoroutinefunction(holds) else holds()):
        assert monotonic() - begun < within_s, "did not come to hold in time"
        await asyncio.sleep(0.02)
    return monotonic() - begun


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One installation for the tests that leave it as they found it."""
    folder = tmp_path_factory.mktemp("bad-days")
    with EmbeddedPostgres(folder / "database") as postgres:
        serving = serve(folder, postgres)
        yield Place(serving, postgres)
        stop(serving)


@pytest.fixture
def own_place(tmp_path: Path) -> Iterator[Place]:
    """An installation that a test may leave in ruins."""
    with EmbeddedPostgres(tmp_path / "database") as postgres:
        serving = serve(tmp_path, postgres)
        yield Place(serving, postgres)
        stop(serving)


def serve(folder: Path, postgres: EmbeddedPostgres) -> Serving:
    serving = Serving(
        folder / "data",
        QIANGDAN_DATABASE_URL=postgres.url,
        QIANGDAN_ADMIN_TOKEN=TOKEN,
        QIANGDAN_GRAB_MODE="first",
        QIANGDAN_GRAB_ASSIGN_AFTER_S="3600",
        QIANGDAN_CLOCKS_ARRIVAL_S="86400",
        QIANGDAN_SOCKETS_SEND_TIMEOUT_S="2",
        QIANGDAN_SOCKETS_QUEUE="200",
    )
    serving.wait_until_ready()
    httpx.put(
        f"{serving.url}/api/v1/zones",
        json=zone_map(),
        headers={"Authorization": f"Bearer {TOKEN}"},
        trust_env=False,
        verify=False,
    ).raise_for_status()
    return serving


def stop(serving: Serving) -> None:
    if serving.process.poll() is None:
        serving.stop()
    assert serving.process.stdout
    serving.process.stdout.close()


async def test_without_its_database_it_says_so_takes_nothing_and_goes_on_when_it_is_back(place: Place) -> None:
    _, token = await place.crew()
    async with at_work(place, token) as client:
        orders = [await place.report() for _ in range(5)]
        await until(lambda: set(orders) <= set(client.offers), within_s=20)
        place.crash()

        async def not_ready() -> bool:
            return (await place.call("GET", "/readyz")).status_code == 503

        await until(not_ready, within_s=20)
        grabs = [asyncio.create_task(client.grab(order)) for order in orders]
        begun = monotonic()
        refused = await place.call(
            "POST", "/api/v1/reports", {"channel": "test", "category": "no_heat", "external_id": "while away"}
        )
        assert refused.status_code == 503
        assert refused.headers["content-type"] == "application/problem+json"
        assert monotonic() - begun < 30
        assert not any(grab.done() for grab in grabs), "no verdict without a commit"
        await place.restart()
        verdicts = await asyncio.wait_for(asyncio.gather(*grabs), 20)
        assert all(verdict.won for verdict in verdicts)
        await place.report()

        async def ready() -> bool:
            return (await place.call("GET", "/readyz")).status_code == 200

        await until(ready, within_s=20)
    claimed = await place.fetch("SELECT order_id FROM event WHERE kind = 'order.claimed'")
    assert sorted(row["order_id"] for row in claimed) == sorted(orders), "each once"
    assert not await place.fetch("SELECT 1 FROM report WHERE external_id = 'while away'")


async def test_grabs_in_flight_as_the_database_crashes_have_one_true_verdict_each(place: Place) -> None:
    crews = [await place.crew() for _ in range(6)]
    async with asyncio.TaskGroup() as group, AsyncStack() as stack:
        clients = [await stack.enter(at_work(place, token)) for _, token in crews]
        orders = [await place.report() for _ in range(12)]
        await until(lambda: all(set(orders) <= set(client.offers) for client in clients), within_s=10)
        grabs = {
            (n, order): group.create_task(client.grab(order, id=f"{n}-{order}"))
            for order in orders
            for n, client in enumerate(clients)
        }
        await asyncio.sleep(0.01)
        await asyncio.to_thread(place.crash)
        await place.restart()
        done = {key: await asyncio.wait_for(grab, 15) for key, grab in grabs.items()}
        for order in orders:
            assert sum(done[(n, order)].won for n in range(len(clients))) == 1
        again = {
            (n, order): await client.grab(order, id=f"{n}-{order}")
            for n, client in enumerate(clients)
            for order in orders
        }
        assert again == done


class AsyncStack:
    """Enters contexts and leaves them in turn."""

    def __init__(self) -> None:
        from contextlib import AsyncExitStack

        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "AsyncStack":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def enter(self, context: Any) -> Any:
        return await self._stack.enter_async_context(context)


async def raw(place: Place, token: str) -> ClientConnection:
    """Open a crew's socket without the client around it."""
    url = place.url.replace("http", "ws") + "/ws/v1/crew"
    return await connect(
        url,
        additional_headers={"Authorization": f"Bearer {token}"},
        subprotocols=[Subprotocol("qiangdan.v1")],
        compression=None,
        ping_interval=None,
        proxy=None,
    )


async def keeps_reporting(place: Place) -> list[int]:
    """Report over one connection until it is told to come back; return what was answered."""
    statuses = []
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=20, headers=headers) as client:
        while 503 not in statuses:
            body = {"channel": "test", "category": "no_heat"}
            answer = await client.post(f"{place.url}/api/v1/reports", json=body)
            statuses.append(answer.status_code)
    assert (answer.headers["connection"], answer.headers["retry-after"]) == ("close", "2")
    return statuses


@pytest.mark.parametrize("twice", [False, True], ids=["once", "engines told three times"])
async def test_a_drain_gives_grabs_in_flight_their_verdicts_and_tells_clients_to_come_back(
    own_place: Place, twice: bool
) -> None:
    place = own_place
    slow = socket.create_connection(("127.0.0.1", httpx.URL(place.serving.url).port or 0))
    slow.send(b"GET /healthz HT")  # and no more of it until the end
    crew, token = await place.crew()
    lon, lat = centre(0)
    line = await raw(place, token)
    await line.send('{"type":"hello"}')
    await line.send('{"type":"shift","on":true}')
    at = "2026-01-15T08:00:00+08:00"
    await line.send(f'{{"type":"position","lon":{lon},"lat":{lat},"accuracy_m":5,"at":"{at}"}}')
    orders = [await place.report() for _ in range(10)]
    offered: set[str] = set()
    while not set(orders) <= offered:
        frame = msgspec.json.decode(await asyncio.wait_for(line.recv(), 5))
        if frame["type"] == "offer":
            offered.add(frame["order"]["id"])
    # A transaction that holds the crew's row keeps the grabs in flight while the drain begins.
    blocker = await asyncpg.connect(place.postgres.url)
    holding = blocker.transaction()
    await holding.start()
    await blocker.execute("SELECT 1 FROM crew WHERE crew_id = $1 FOR UPDATE", crew)
    for order in orders:
        await line.send(f'{{"type":"grab","id":"m-{order}","order":"{order}"}}')
    reporting = asyncio.create_task(keeps_reporting(place))
    await asyncio.sleep(0.3)
    engines = place.serving.children("engine")
    place.serving.process.send_signal(signal.SIGTERM)
    for number in (signal.SIGINT, signal.SIGTERM) if twice else ():  # a terminal, or the kernel, beside the supervisor
        for engine in engines:
            os.kill(engine, number)
    await asyncio.sleep(0.3)
    for engine in engines if twice else ():
        os.kill(engine, signal.SIGTERM)
    await holding.rollback()
    await blocker.close()
    verdicts = {}
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            frame = msgspec.json.decode(await asyncio.wait_for(line.recv(), 15))
            if frame["type"] == "grab_result":
                verdicts[frame["order"]] = frame["won"]
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    assert verdicts == dict.fromkeys(orders, True)
    assert set(await reporting) == {201, 503}
    assert await asyncio.to_thread(place.serving.process.wait, 20) == 0
    slow.close()
    assert '"level":"error"' not in place.serving.log.read_text()


async def test_a_client_that_stops_reading_is_disconnected_and_delays_nobody(place: Place) -> None:
    _, deaf_token = await place.crew(1)
    _, token = await place.crew(1)
    deaf = await stops_reading(place, deaf_token, zone=1)
    async with at_work(place, token, 1) as client:
        known: set[str] = set()
        slowest = 0.0
        give_up_at = monotonic() + 45
        while not await is_closed(deaf):
            assert monotonic() < give_up_at, "who does not read is kept for ever"
            batch = await asyncio.gather(*(large_report(place, 1) for _ in range(20)))
            begun = monotonic()
            await until(lambda batch=batch: set(batch) <= set(client.offers), within_s=20)
            slowest = max(slowest, monotonic() - begun)
            known |= set(batch)
        assert slowest < 5.0  # a send that waits for him would last until he is pinged in vain, 20 s and more
        assert known <= set(client.offers)
    deaf.close()
    page = (await place.call("GET", "/metrics")).text
    assert 'qiangdan_sockets{kind="crew"} 0.0' in page or 'qiangdan_sockets{kind="crew"} 1.0' in page


async def stops_reading(place: Place, token: str, *, zone: int) -> socket.socket:
    """Open a crew's socket by hand with a small buffer, come on shift, and never read again."""
    host, port = place.url.removeprefix("http://").split(":")
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.connect((host, int(port)))
    line.sendall(
        f"GET /ws/v1/crew HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Sec-WebSocket-Protocol: qiangdan.v1\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    )
    assert await asyncio.to_thread(line.recv, 1) == b"H"  # the handshake's answer begins: the socket is open
    lon, lat = centre(zone)
    at = "2026-01-15T08:00:00+08:00"
    for text in (
        '{"type":"hello"}',
        '{"type":"shift","on":true}',
        f'{{"type":"position","lon":{lon},"lat":{lat},"accuracy_m":5,"at":"{at}"}}',
    ):
        payload = text.encode()
        line.sendall(bytes([0x81, 0x80 | len(payload)]) + b"\0\0\0\0" + payload)
    await asyncio.sleep(0.3)
    line.setblocking(False)
    return line


async def is_closed(line: socket.socket) -> bool:
    """Whether the other side has dropped the connection; nothing is read from it."""
    try:
        line.send(b"\x89\x80\0\0\0\0")  # a ping without words
    except BlockingIOError:
        return False
    except OSError:
        return True
    return False


async def large_report(place: Place, zone: int) -> str:
    """Report a fault with many words, and return the order's id."""
    lon, lat = centre(zone)
    body = {
        "channel": "test",
        "category": "no_heat",
        "location": {"lon": lon, "lat": lat},
        "description": "不热" * 5000,
    }
    order: str = (await place.api("POST", "/reports", body))["order"]["id"]
    return order


async def test_a_request_whose_sender_hangs_up_is_done_once_and_answered_when_asked_again(place: Place) -> None:
    rng = random.Random(3)
    host, port = place.url.removeprefix("http://").split(":")
    lon, lat = centre(2)
    bodies = []
    for n in range(40):
        body = msgspec.json.encode(
            {
                "channel": "test",
                "category": "no_heat",
                "description": f"hung up {n}",
                "location": {"lon": lon, "lat": lat},
            }
        )
        bodies.append(body)
        request = (
            f"POST /api/v1/reports HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Idempotency-Key: hang-up-{n}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        _, writer = await asyncio.open_connection(host, int(port))
        if n % 4 == 0:
            writer.write(request[: rng.randrange(len(request))])  # in the middle of the words
        else:
            writer.write(request)
        await writer.drain()
        await asyncio.sleep(rng.choice([0, 0.0005, 0.001, 0.002, 0.005]))
        writer.transport.abort()
    first = [await post_again(place, n, body) for n, body in enumerate(bodies)]
    second = [await post_again(place, n, body) for n, body in enumerate(bodies)]
    assert first == second
    rows = await place.fetch(
        "SELECT description, count(*) AS n FROM orders WHERE description LIKE 'hung up %' GROUP BY 1"
    )
    assert len(rows) == 40
    assert all(row["n"] == 1 for row in rows), "done once, however often it was asked for"


async def post_again(place: Place, n: int, body: bytes) -> Any:
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=20) as client:
        answer = await client.post(
            f"{place.url}/api/v1/reports",
            content=body,
            headers={
                "Authorization": f"Bearer {TOKEN}",
                "Idempotency-Key": f"hang-up-{n}",
                "Content-Type": "application/json",
            },
        )
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_with_a_full_disk_nothing_is_acknowledged_and_all_goes_on_when_there_is_room(place: Place) -> None:
    _, token = await place.crew()
    async with at_work(place, token) as client:
        order = await place.report()
        await until(lambda: order in client.offers, within_s=20)
        async with full_disk(place):
            grab = asyncio.create_task(client.grab(order))
            refused = await place.call("POST", "/api/v1/reports", {"channel": "test", "category": "no_heat"})
            assert refused.status_code == 503
            assert "disk" in refused.json()["detail"]
            assert not grab.done(), "no verdict that is not on disk"
        assert (await asyncio.wait_for(grab, 5)).won


@asynccontextmanager
async def full_disk(place: Place) -> AsyncIterator[None]:
    """Let every new event fail as PostgreSQL fails on a full disk; a real one cannot be had everywhere."""
    connection = await asyncpg.connect(place.postgres.url)
    await connection.execute(
        """CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
           CREATE TRIGGER no_room BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION no_room()"""
    )
    try:
        yield
    finally:
        with suppress(asyncpg.PostgresError):
            await connection.execute("DROP TRIGGER no_room ON event; DROP FUNCTION no_room()")
        await connection.close()
