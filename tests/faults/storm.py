"""Two hundred crews at work while processes die: real sockets, the project's own client, everything written down.

A `Storm` is one run: crews that race for the orders that are open, a reporter who sees to it that there are always
some, a dispatcher who interferes, and a killer. What each crew was told goes into its `Diary`; `tests.faults.audit`
reads the diaries beside the log.
"""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic
from typing import Any, NamedTuple

import httpx
import msgspec

from crew_client import CrewClient, backoff
from crew_client.errors import CommandRefusedError, CrewClientError
from crew_client.link import Timing
from crew_client.protocol import Evidence, Offer, Welcome
from crew_client.transport import Socket
from crew_client.transport import open_socket as open_real_socket
from dispatch.store.embedded import EmbeddedPostgres
from tests.processes import Serving
from tests.town import ZONES, centre, zone_map

CREWS = 200
OPEN_ORDERS = 50
DOWN_S = 2.0


class Heard(NamedTuple):
    """A frame with a seq, or a welcome, as it came in."""

    type: str
    seq: int
    resumed: bool
    frame: str


class Diary:
    """What one crew was told: every frame with a seq in the order of arrival, and the verdict on each grab."""

    def __init__(self, crew: str) -> None:
        self.crew = crew
        self.heard: list[Heard] = []
        self.asked: dict[str, str] = {}
        self.verdicts: dict[str, str] = {}
        self.changed: list[str] = []

    def note(self, frame: str) -> None:
        """Write a frame down; a verdict that differs from the first on the same id is a violation."""
        message = msgspec.json.decode(frame)
        kind = message["type"]
        if kind == "grab_result":
            first = self.verdicts.setdefault(message["id"], message["reason"])
            if first != message["reason"]:
                self.changed.append(f"{self.crew}: {message['id']} was {first}, then {message['reason']}")
        if "seq" in message:
            self.heard.append(Heard(kind, message["seq"], message.get("resumed", False), frame))


class DiarySocket:
    """A socket whose incoming frames go into a diary."""

    def __init__(self, socket: Socket, diary: Diary) -> None:
        self._socket = socket
        self._diary = diary

    async def recv(self) -> str | bytes:
        frame = await self._socket.recv()
        assert isinstance(frame, str)
        self._diary.note(frame)
        return frame

    async def send(self, frame: str) -> None:
        await self._socket.send(frame)

    async def close(self) -> None:
        await self._socket.close()

    def abort(self) -> None:
        self._socket.abort()


class CrewAtWork:
    """One crew: grabs what it is offered as fast as it can, and serves what it holds."""

    def __init__(self, storm: "Storm", crew: str, token: str, zone: int, rng: random.Random) -> None:
        self.storm = storm
        self.diary = Diary(crew)
        self.zone = zone
        self.rng = rng
        self.numbers = 0

        async def open_socket(url: str, token: str, *, timeout_s: float) -> Socket:
            return DiarySocket(await open_real_socket(url, token, timeout_s=timeout_s), self.diary)

        self.client = CrewClient(
            storm.url,
            token,
            rng=rng,
            delays=lambda rng: backoff.jittered(rng, first_s=0.2, longest_s=1.5),
            open_socket=open_socket,
            timing=Timing(ping_interval_s=5),
        )

    async def run(self) -> None:
        """Work until cancelled."""
        async with self.client, asyncio.TaskGroup() as group:
            await self.client.shift(True)
            lon, lat = centre(self.zone)
            await self.client.position(lon + self.rng.uniform(-0.008, 0.008), lat + self.rng.uniform(-0.008, 0.008))
            group.create_task(self._serve())
            async for message in self.client:
                if isinstance(message, Offer):
                    group.create_task(self._consider(message.order.id))
                elif isinstance(message, Welcome):
                    for order in list(self.client.offers):
                        group.create_task(self._consider(order))

    async def _consider(self, order: str) -> None:
        await asyncio.sleep(self.rng.uniform(0, 0.3))
        if order not in self.client.offers or not self.storm.grabbing:
            return
        if self.rng.random() < 0.05:
            with suppress(CommandRefusedError):
                await self.client.decline(order)
        elif len(self.client.orders) == 0 or self.rng.random() < 0.1:
            await self.grab(order)

    async def grab(self, order: str) -> None:
        """Grab under a new id; the verdict is noted by the socket."""
        self.numbers += 1
        message = f"{self.diary.crew}-{self.numbers}"
        self.diary.asked[message] = order
        await self.client.grab(order, id=message)

    async def ask_again(self) -> None:
        """Ask for the verdict on every id once more; a changed one is noted by the socket."""
        for message, order in self.diary.asked.items():
            await self.client.grab(order, id=message)
            await asyncio.sleep(0.02)  # below the limit of grabs a second

    async def _serve(self) -> None:
        while True:
            await asyncio.sleep(self.rng.uniform(0.1, 0.4))
            for order in list(self.client.orders.values()):
                steps: dict[str, Any] = {"claimed": "en_route", "en_route": "arrived", "arrived": "resolved"}
                to = steps.get(order.state)
                if to is None:
                    continue
                with suppress(CommandRefusedError):
                    ack = await self.client.progress(order.id, to, evidence=Evidence(note="ok"))
                    self.storm.counts[f"{to} {ack.error or 'taken'}"] += 1


class Storm:
    """One run and its figures."""

    def __init__(self, serving: Serving, postgres: EmbeddedPostgres, admin_token: str, seed: int) -> None:
        self.serving = serving
        self.url = serving.url
        self.postgres = postgres
        self.rng = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.grabbing = True
        self.reporting = True
        self.calm_until = 0.0
        self.crews: list[CrewAtWork] = []
        self.orders: list[str] = []
        self.not_ready_after_s: list[float] = []
        self.working_after_s: list[float] = []
        self.http = httpx.AsyncClient(
            base_url=f"{serving.url}/api/v1",
            headers={"Authorization": f"Bearer {admin_token}"},
            timeout=10,
            trust_env=False,
        )

    # People.

    async def call(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> httpx.Response:
        """Make a request until it has an answer; a key makes that safe."""
        headers = {"Idempotency-Key": key} if key else {}
        while True:
            with suppress(httpx.HTTPError):
                response = await self.http.request(method, path, json=body, headers=headers)
                if response.status_code != 503:
                    return response
            self.counts["requests tried again"] += 1
            await asyncio.sleep(0.2)

    async def settle_in(self, policies: dict[str, dict[str, Any]] | None = None) -> None:
        """Put the map in force and hire the crews."""
        assert (await self.call("PUT", "/zones", zone_map(policies=policies))).status_code == 200

        async def hire(n: int) -> None:
            body = {"name": f"班组{n}", "home_zone": ZONES[n % 3], "capacity": 1 + n % 2, "skills": []}
            crew = (await self.call("POST", "/crews", body, key=f"crew-{n}")).json()["id"]
            token = (await self.call("POST", f"/crews/{crew}/tokens", key=f"token-{n}")).json()["token"]
            self.crews.append(CrewAtWork(self, crew, token, n % 3, random.Random(self.rng.random())))

        for start in range(0, CREWS, 20):
            await asyncio.gather(*(hire(n) for n in range(start, start + 20)))

    async def report(self) -> None:
        """Keep `OPEN_ORDERS` orders open."""
        n = 0
        while self.reporting:
            answer = await self.call("GET", "/orders?state=offered,claimed,en_route,arrived&limit=500")
            missing = OPEN_ORDERS - len(answer.json()["items"])
            await asyncio.gather(*(self._report_one(n + i) for i in range(missing)))
            n += max(missing, 0)
            await asyncio.sleep(0.1)

    async def _report_one(self, n: int) -> None:
        lon, lat = centre(n % 3)
        body = {
            "channel": "storm",
            "external_id": f"e{n}",
            "category": "no_heat",
            "severity": self.rng.randint(1, 5),
            "location": {"lon": lon + self.rng.uniform(-0.008, 0.008), "lat": lat},
        }
        taken = await self.call("POST", "/reports", body)
        assert taken.status_code in (200, 201), taken.text
        self.orders.append(taken.json()["order"]["id"])
        self.counts["reports"] += 1

    async def interfere(self) -> None:
        """Say otherwise now and then, as a dispatcher."""
        n = 0
        while self.reporting:
            await asyncio.sleep(self.rng.uniform(0.1, 0.4))
            if not self.orders:
                continue
            n += 1
            order = self.rng.choice(self.orders[-OPEN_ORDERS:])
            action = self.rng.choice(["assign", "revoke", "offer", "cancel", "hold", "release", "reprioritize"])
            body: dict[str, Any] = {"action": action, "reason": "storm"}
            if action == "assign":
                body["crew"] = self.rng.choice(self.crews).diary.crew
            elif action == "reprioritize":
                body["severity"] = self.rng.randint(1, 5)
            answer = await self.call("POST", f"/orders/{order}/override", body, key=f"override-{n}")
            assert answer.status_code in (200, 409), answer.text
            self.counts[f"override {answer.status_code}"] += 1

    # Deaths.

    async def kill(self, role: str, every_s: tuple[float, float], until: float) -> None:
        """Kill a process of a role again and again."""
        while monotonic() < until:
            await asyncio.sleep(self.rng.uniform(*every_s))
            if role == "engine" and monotonic() < self.calm_until:
                continue
            pids = self.serving.children(role)
            if pids and monotonic() < until:
                with suppress(ProcessLookupError):
                    os.kill(self.rng.choice(pids), signal.SIGKILL)
                    self.counts[f"{role} killed"] += 1

    async def stop_postgres(self, database_seq: Callable[[], Awaitable[int]]) -> None:
        """Stop PostgreSQL as in a crash, start it again, and note when that was noticed and when work went on."""
        self.calm_until = monotonic() + DOWN_S + 3
        pid = self.postgres.pid
        assert pid is not None
        os.kill(pid, signal.SIGQUIT)
        died = monotonic()
        await asyncio.to_thread(self.postgres.wait)
        while await self.is_ready():
            assert monotonic() - died < 5, "ready for five seconds after the database's death"
            await asyncio.sleep(0.05)
        self.not_ready_after_s.append(monotonic() - died)
        await asyncio.sleep(max(0.0, died + DOWN_S - monotonic()))
        self.postgres.launch()
        await asyncio.to_thread(self.postgres.wait_until_ready)
        back = monotonic()
        seq = await database_seq()
        while await database_seq() == seq or not await self.is_ready():
            assert monotonic() - back < 5, "no work for five seconds after the database's return"
            await asyncio.sleep(0.05)
        self.working_after_s.append(monotonic() - back)
        self.counts["postgres stopped"] += 1

    async def is_ready(self) -> bool:
        """Return whether some engine says that it is ready."""
        try:
            return (await self.http.get(f"{self.url}/readyz", timeout=3)).status_code == 200
        except httpx.HTTPError:
            return False

    async def online(self, *, within_s: float) -> None:
        """Wait until every crew is connected."""
        give_up_at = monotonic() + within_s
        while missing := [crew for crew in self.crews if crew.client.state != "online"]:
            assert monotonic() < give_up_at, f"{len(missing)} crews are not connected"
            await asyncio.sleep(0.1)


async def end(tasks: list["asyncio.Task[None]"]) -> None:
    """Cancel tasks; what one failed with is raised."""
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception) and not isinstance(outcome, CrewClientError):
            raise outcome
