"""The crews of a storm, with the project's own client: they grab what they are offered and serve what they hold."""

import asyncio
import random
from collections.abc import Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from crew_client import CrewClient, backoff
from crew_client.errors import CommandRefusedError, CrewClientError
from crew_client.link import Timing
from crew_client.protocol import Evidence, Offer, ProgressAck, Welcome
from crew_client.protocol.messages import SuspendReason
from crew_client.transport import Socket, SocketLostError
from crew_client.transport import open_socket as open_real_socket
from tests.faults.history import Op, now
from tests.faults.recorder import Mischief, RecordedSocket, Recorder
from tests.town import centre

if TYPE_CHECKING:
    from tests.faults.storm import Pace, Storm

STEPS: dict[str, Any] = {"claimed": "en_route", "en_route": "arrived", "arrived": "resolved"}
MOST_PENDING = 4
"""How many commands a crew lets wait before it asks for nothing more: a technician has two thumbs."""
PATIENT = Timing(ping_interval_s=6, open_timeout_s=8, send_timeout_s=4)


class CrewAtWork:
    """One crew of one city."""

    def __init__(self, storm: "Storm", city: "CityUnderTest", crew: str, token: str, zone: int) -> None:
        self.storm = storm
        self.city = city
        self.crew = crew
        self.zone = zone
        self.rng = random.Random(storm.rng.random())
        self.recorder = Recorder(storm.history, city.id, crew, city.foreign)
        self.mischief = Mischief()
        self.skew = timedelta(0)
        self.numbers = 0
        self.trouble = ""
        self.pending: dict[str, float] = {}
        self.asked: dict[str, str] = {}
        self._token = token
        self._tasks: set[asyncio.Task[None]] = set()
        self.client = self._make_client()

    def _make_client(self) -> CrewClient:
        async def open_socket(url: str, token: str, *, timeout_s: float) -> Socket:
            self.trouble = f"connecting since {now():.1f}"
            try:
                socket = await open_real_socket(url, token, timeout_s=timeout_s)
            except SocketLostError as lost:
                self.trouble = f"{lost} at {now():.1f}"
                raise
            self.storm.count("connections")
            self.trouble = f"connected at {now():.1f}"
            return RecordedSocket(socket, self.recorder, self.mischief, self.rng)

        return CrewClient(
            self.storm.url,
            self._token,
            rng=self.rng,
            delays=lambda rng: backoff.jittered(rng, first_s=0.2, longest_s=1.0),
            open_socket=open_socket,
            timing=PATIENT,
            clock=lambda: datetime.now(UTC) + self.skew,
            new_id=self._new_id,
        )

    def _new_id(self) -> str:
        self.numbers += 1
        return f"{self.crew}-{self.numbers}"

    async def run(self) -> None:
        """Work until cancelled; a client that is ended for good is a violation, and another takes its place."""
        while True:
            try:
                await self._work()
            except CrewClientError as error:
                self.recorder.strange(f"the connection was ended for good: {error!r}")
                self.client = self._make_client()
                await asyncio.sleep(0.5)

    async def _work(self) -> None:
        try:
            async with self.client:
                await self.client.shift(True)
                lon, lat = centre(self.zone)
                await self.client.position(lon + self.rng.uniform(-0.008, 0.008), lat + self.rng.uniform(-0.008, 0.008))
                self._start(self._serve())
                async for message in self.client:
                    if isinstance(message, Offer):
                        self._start(self._consider(message.order.id))
                    elif isinstance(message, Welcome):
                        self.storm.acknowledged("resume")
                        for order in list(self.client.offers):
                            self._start(self._consider(order))
        finally:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        async def quietly() -> None:
            with suppress(CrewClientError):
                await work

        task = asyncio.create_task(quietly())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _consider(self, order: str) -> None:
        await asyncio.sleep(self.rng.uniform(0, self.city.pace.consider_s))
        if order not in self.client.offers or not self.storm.grabbing or len(self.pending) >= MOST_PENDING:
            return
        if self.rng.random() < 0.08:
            await self._ask("decline", order, lambda id: self.client.decline(order, id=id))
        elif len(self.client.orders) == 0 or self.rng.random() < self.city.pace.greed:
            await self.grab(order)

    async def grab(self, order: str, *, id: str | None = None) -> None:
        """Grab; under an id of before this asks for the verdict once more."""
        await self._ask("grab" if id is None else "grab again", order, lambda key: self.client.grab(order, id=key), id)

    async def ask_again(self, most: int) -> None:
        """Ask for the verdicts on some ids of before."""
        for message in self.rng.sample(sorted(self.asked), min(most, len(self.asked))):
            await self.grab(self.asked[message], id=message)

    async def _serve(self) -> None:
        while True:
            await asyncio.sleep(self.rng.uniform(*self.city.pace.step_s))
            if not self.storm.reporting:
                continue
            for order in list(self.client.orders.values()):
                dice = self.rng.random()
                if order.state == "claimed" and dice < 0.06:
                    await self._hand_back(order.id)
                elif (to := STEPS.get(order.state)) is not None:
                    await self._progress(order.id, to)
                elif order.state == "suspended":
                    await self._progress(order.id, "arrived")
            if self.asked and self.rng.random() < 0.02:
                await self.ask_again(1)

    async def _hand_back(self, order: str) -> None:
        await self._ask("hand_back", order, lambda id: self.client.hand_back(order, "too_far", id=id))

    async def _progress(self, order: str, to: Any) -> None:
        if to == "resolved" and self.rng.random() < 0.04:
            reason: SuspendReason | None = self.rng.choice(["waiting_part", None])
            suspend = partial(self.client.progress, order, "suspended", reason=reason, evidence=Evidence(note="DN20"))
            await self._ask("suspended", order, lambda id: suspend(id=id))
            return
        evidence = Evidence(note="ok")
        await self._ask(to, order, lambda id: self.client.progress(order, to, evidence=evidence, id=id))

    async def _ask(self, operation: str, order: str, say: Any, id: str | None = None) -> None:
        """Give a command, wait for its verdict through as many connections as it takes, and write down what came."""
        key = id or self._new_id()
        if operation == "grab":
            self.asked[key] = order
        start = now()
        self.pending[f"{operation} {key}"] = start
        outcome, result = "unknown", None
        try:
            answer = await say(key)
            if isinstance(answer, ProgressAck):
                result = f"error {answer.error}" if answer.error else answer.state
            else:
                result = answer.reason
            outcome = "ok"
        except CommandRefusedError as refused:
            outcome, result = "failed", refused.code
        finally:
            self.pending.pop(f"{operation} {key}", None)
            record = Op(self.city.id, self.crew, operation, key, order, start, now(), outcome, result)  # type: ignore[arg-type]
            self.storm.write_op(record)


class CityUnderTest:
    """A city of the installation: its token, the word that only it knows, and the word that it must never see."""

    def __init__(self, id: str, token: str, pace: "Pace", *, word: str, foreign: str) -> None:
        self.id = id
        self.pace = pace
        self.token = token
        self.word = word
        self.foreign = foreign
        self.crews: list[CrewAtWork] = []
        self.open: dict[str, str] = {}
        self.resolved: list[str] = []
        self.known: list[str] = []
