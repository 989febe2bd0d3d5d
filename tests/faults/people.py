"""The people of a city beside its crews: who reports, who overrides, who rates, who watches, and who pries."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from tests.faults.desk import Desk, Keyed
from tests.faults.history import Op, digest, now
from tests.faults.recorder import Recorder
from tests.town import centre

if TYPE_CHECKING:
    from tests.faults.crews import CityUnderTest
    from tests.faults.storm import Storm

ACTIONS = (
    "assign",
    "assign",
    "revoke",
    "offer",
    "cancel",
    "hold",
    "release",
    "reprioritize",
    "pause",
    "resume",
    "undo",
)
WORKING = ("offered", "claimed", "en_route", "arrived")


class Reporter(Desk):
    """Sees to it that there are always enough open orders."""

    async def run(self) -> None:
        """Report until the storm is over."""
        async with asyncio.TaskGroup() as group:
            while self.storm.reporting:
                missing = self.city.pace.open_orders - len(self.city.open) - len(self.pending)
                for _ in range(min(max(missing, 0), 20 - len(self.pending))):
                    group.create_task(self._report())
                await asyncio.sleep(0.05)

    async def _report(self) -> None:
        key = self.new_key()
        keyed: Keyed = self.rng.choice(("external_id", "external_id", "key", "no"))
        lon, lat = centre(self.rng.randrange(3))
        body: dict[str, Any] = {
            "channel": "storm",
            "category": "no_heat",
            "description": key,
            "address": {"text": self.city.word},
            "severity": self.rng.randint(1, 5),
            "location": {"lon": lon + self.rng.uniform(-0.008, 0.008), "lat": lat},
        }
        if keyed == "external_id":
            body["external_id"] = key
        answer = await self.ask("report", "/reports", body, key=key, keyed=keyed)
        if answer is not None and "order" in answer:
            self.city.open.setdefault(answer["order"]["id"], "offered")
            self.city.known.append(answer["order"]["id"])


class Dispatcher(Desk):
    """Says otherwise: with the version that he saw or without, under a key or not, twice or once."""

    async def run(self) -> None:
        """Interfere until the storm is over."""
        while self.storm.reporting:
            await asyncio.sleep(self.rng.uniform(0, 2 * self.city.pace.override_s))
            if self.city.known:
                await self._override(self.rng.choice(self.city.known[-self.city.pace.open_orders :]))

    async def _override(self, order: str) -> None:
        key = self.new_key()
        action = self.rng.choice(ACTIONS)
        body: dict[str, Any] = {"action": action, "reason": key}
        if action == "assign":
            body["crew"] = self.rng.choice(self.city.crews).crew
        elif action == "reprioritize":
            body["severity"] = self.rng.randint(1, 5)
        elif action == "pause":
            body["pause_reason"] = "waiting_part"
        if self.rng.random() < 0.2:
            body["version"] = self.rng.randint(1, 6)
        keyed: Keyed = "key" if self.rng.random() < 0.8 else "no"
        answer = await self.ask("override", f"/orders/{order}/override", body, key=key, order=order, keyed=keyed)
        if answer is not None and keyed == "key" and "version" in answer and self.rng.random() < 0.2:
            await self.ask("override", f"/orders/{order}/override", body, key=key, order=order)


class Resident(Desk):
    """Rates what is resolved; what was not good is opened again."""

    async def run(self) -> None:
        """Rate until the storm is over."""
        while self.storm.reporting:
            if not self.city.resolved:
                await asyncio.sleep(0.1)
                continue
            order = self.city.resolved.pop(0)
            good = self.rng.random() < 0.3
            key = self.new_key()
            body = {"stars": 5 if good else 1, "comment": key, "resolved": good}
            keyed: Keyed = "key" if self.rng.random() < 0.8 else "no"
            await self.ask("rating", f"/orders/{order}/rating", body, key=key, order=order, keyed=keyed)


class Pager(Desk):
    """Reads the log page by page over REST, as a webhook would."""

    async def run(self) -> None:
        """Read until cancelled."""
        recorder = Recorder(self.storm.history, self.city.id, self.client, self.city.foreign)
        after = 0
        recorder.welcomed("", 0, False)
        self.storm.followers.append((self.city, recorder))
        while True:
            response = await self.read(f"/events?after={after}&limit=500")
            if response is None or not response.is_success:
                await asyncio.sleep(0.3)
                continue
            page = msgspec.json.decode(response.content)
            for row in page["items"]:
                recorder.told(row["seq"], digest(f"{row['kind']}/{row.get('order')}"), row["data"].get("order"))
            after = page["last"]
            if len(page["items"]) < 500:
                await asyncio.sleep(0.25)


class Pryer(Desk):
    """Asks for what is another city's; `victim` is that city."""

    victim: "CityUnderTest"

    async def run(self) -> None:
        """Pry until the storm is over."""
        while self.storm.reporting:
            await asyncio.sleep(0.5)
            if not self.victim.known:
                continue
            order, start = self.rng.choice(self.victim.known), now()
            response = await self.read(f"/orders/{order}")
            if response is not None:
                self._note("pry", order, start, str(response.status_code))
            body = {"action": "cancel", "reason": self.new_key()}
            answer = await self.ask("pry override", f"/orders/{order}/override", body, key=self.new_key(), order=order)
            if answer is not None:
                self._note("pry", order, start, str(answer.get("status", 200)))

    def _note(self, operation: str, order: str, start: float, result: str) -> None:
        self.storm.write_op(
            Op(self.city.id, self.client, operation, self.new_key(), order, start, now(), "ok", result, False)
        )


class Console:
    """A dispatcher's screen, which comes back and resumes; what it shows tells the reporter what is open."""

    def __init__(self, storm: "Storm", city: "CityUnderTest") -> None:
        self.storm = storm
        self.city = city
        self.recorder = Recorder(storm.history, city.id, f"console@{city.id}", city.foreign)
        self.epoch: str | None = None
        self.online = False

    async def run(self) -> None:
        """Watch until cancelled."""
        self.storm.followers.append((self.city, self.recorder))
        while True:
            with suppress(ConnectionClosed, InvalidHandshake, OSError, TimeoutError):
                async with connect(
                    f"{self.storm.url.replace('http', 'ws', 1)}/ws/v1/console",
                    subprotocols=[Subprotocol("qiangdan.v1")],
                    additional_headers={"Authorization": f"Bearer {self.city.token}"},
                    proxy=None,
                    compression=None,
                    max_size=None,
                    ping_interval=None,
                    open_timeout=5,
                    close_timeout=1,
                ) as connection:
                    await self._watch(connection)
            self.online = False
            await asyncio.sleep(0.3)

    async def _watch(self, connection: ClientConnection) -> None:
        hello: dict[str, Any] = {"type": "hello"}
        if self.epoch is not None:
            hello |= {"resume_after": self.recorder.seen, "epoch": self.epoch}
        await connection.send(msgspec.json.encode(hello).decode())
        silent = 0
        while True:
            try:
                async with asyncio.timeout(2):
                    text = await connection.recv()
            except TimeoutError:
                silent += 1
                if silent > 1:
                    raise
                await connection.send('{"type":"ping"}')
                continue
            silent = 0
            assert isinstance(text, str)
            self._hear(text)

    def _hear(self, text: str) -> None:
        frame = msgspec.json.decode(text)
        if self.city.foreign in text:
            self.recorder.strange(f"{frame['type']} has a word of another city")
        if frame["type"] == "snapshot":
            self.epoch = frame["epoch"]
            self.online = True
            self.recorder.welcomed(frame["epoch"], frame["seq"], frame["resumed"])
            for order in frame.get("orders", ()):
                self._show(order)
            self.storm.acknowledged("resume")
        elif frame["type"] == "event":
            order = frame["data"].get("order") if isinstance(frame["data"], dict) else None
            self.recorder.told(frame["seq"], digest(text), order if isinstance(order, dict) else None)
            if isinstance(order, dict):
                self._show(order)

    def _show(self, order: dict[str, Any]) -> None:
        if order["state"] in WORKING:
            if order["id"] not in self.city.open:
                self.city.known.append(order["id"])
            self.city.open[order["id"]] = order["state"]
            return
        self.city.open.pop(order["id"], None)
        if order["state"] == "resolved":
            self.city.resolved.append(order["id"])
