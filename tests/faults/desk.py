"""Who asks over REST: each request with its outcome, and asked again under its key until there is an answer."""

import asyncio
import contextlib
import random
import socket
import sys
from typing import TYPE_CHECKING, Any, Literal

import httpx
import msgspec
from msgspec.structs import replace

from tests.faults.history import Op, Outcome, digest, now
from tests.faults.proxy import RESET

if TYPE_CHECKING:
    from tests.faults.crews import CityUnderTest
    from tests.faults.storm import Storm

PATIENCE_S = 5.0
# httpcore looks for it with each request; where it is not installed, that is a tenth of this process's time.
sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]
Keyed = Literal["key", "external_id", "no"]


class Desk:
    """One person of a city, by a connection of his own."""

    def __init__(self, storm: "Storm", city: "CityUnderTest", name: str) -> None:
        self.storm = storm
        self.city = city
        self.client = f"{name}@{city.id}"
        self.rng = random.Random(storm.rng.random())
        self.numbers = 0
        self.pending: dict[str, float] = {}
        self.http = httpx.AsyncClient(
            base_url=f"{storm.url}/api/v1",
            headers={"Authorization": f"Bearer {city.token}"},
            timeout=PATIENCE_S,
            trust_env=False,
            verify=False,  # there is no TLS here, and each set of certificates takes a tenth of a second to load
            limits=httpx.Limits(max_connections=8, keepalive_expiry=30),
        )

    def new_key(self) -> str:
        """Return a name for an operation that no other has."""
        self.numbers += 1
        return f"{self.client}-{self.numbers}"

    async def ask(
        self, operation: str, path: str, body: Any, *, key: str, order: str | None = None, keyed: Keyed = "key"
    ) -> Any:
        """Post a request until it has a definite answer, and return that; None where there is none to be had.

        Without a key it is asked once, and its outcome may stay unknown.
        """
        self.pending[key] = now()
        try:
            while True:
                if keyed != "no" and self.rng.random() < self.storm.hasty:
                    await self._hang_up(operation, path, body, key=key, order=order, keyed=keyed)
                answer = await self._ask_once(operation, path, body, key=key, order=order, keyed=keyed)
                if answer is not None:
                    return answer
                if keyed == "no":
                    return None
                await asyncio.sleep(self.rng.uniform(0.1, 0.4))
        finally:
            self.pending.pop(key, None)

    async def _ask_once(
        self, operation: str, path: str, body: Any, *, key: str, order: str | None, keyed: Keyed
    ) -> Any:
        start = now()
        headers = {"Idempotency-Key": key} if keyed == "key" else {}
        outcome: Outcome = "unknown"
        result: str | None = None
        answer: Any = None
        seen: dict[str, Any] = {}
        try:
            response = await self.http.post(path, content=msgspec.json.encode(body), headers=headers)
            if response.status_code != 503:
                self._look(operation, response.text)
                answer = msgspec.json.decode(response.content)
                outcome = "ok"
                result = f"{response.status_code} {digest(response.text)}"
                if response.is_success:
                    about = answer.get("order", answer)
                    seen = about if "version" in about else {}
                    if keyed == "external_id":  # 201 at first, 200 when it is repeated: the report says what it was
                        result = f"200 {answer['id']}"
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            outcome = "failed"
        except httpx.HTTPError:
            pass
        finally:
            order = seen["id"] if seen else order
            op = Op(self.city.id, self.client, operation, key, order, start, now(), outcome, result, keyed != "no")
            version, state, holder = (seen.get(member) for member in ("version", "state", "crew"))
            self.storm.write_op(replace(op, version=version, state=state, holder=holder, saw=body.get("version")))
        return answer

    async def _hang_up(
        self, operation: str, path: str, body: Any, *, key: str, order: str | None, keyed: Keyed
    ) -> None:
        """Send the request and reset the connection a moment later: the handler is cancelled wherever it is."""
        start = now()
        text = msgspec.json.encode(body)
        idempotency = f"Idempotency-Key: {key}\r\n" if keyed == "key" else ""
        head = (
            f"POST /api/v1{path} HTTP/1.1\r\nHost: storm\r\nAuthorization: Bearer {self.city.token}\r\n"
            f"Content-Type: application/json\r\n{idempotency}Content-Length: {len(text)}\r\n\r\n"
        )
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                _, writer = await asyncio.open_connection("127.0.0.1", self.storm.installation.port)
                writer.write(head.encode() + text)
                await asyncio.sleep(self.rng.choice([0.0, 0.002, 0.005, 0.01, 0.02, 0.05]))
                if (raw := writer.get_extra_info("socket")) is not None:  # the proxy may have reset it before
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                writer.transport.abort()
        self.storm.count("requests hung up on")
        self.storm.write_op(
            Op(self.city.id, self.client, operation, key, order, start, now(), "unknown", None, keyed != "no")
        )

    async def read(self, path: str) -> httpx.Response | None:
        """Get something; None where it was not to be had."""
        try:
            response = await self.http.get(path)
        except httpx.HTTPError:
            return None
        if response.status_code == 503:
            return None
        self._look(f"GET {path}", response.text)
        return response

    def _look(self, operation: str, text: str) -> None:
        if self.city.foreign in text:
            self.storm.strange(self.city.id, self.client, f"{operation} answered with a word of another city")
