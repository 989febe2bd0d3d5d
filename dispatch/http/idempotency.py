"""A command under a key: done once, its first answer given again to whoever asks under the same key with the same body.

The key, what was done and the answer are one transaction. A request without a key gets one of ours, so that a commit
whose outcome is not known can be asked about, too. A refusal (4xx) is an answer as well: what it took with it is
rolled back, so it is kept under the client's key by a transaction of its own, unless another has answered meanwhile.
"""

from collections.abc import Callable, Coroutine
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from ulid import ULID

from dispatch.errors import DispatchError, Invalid, KeyReused
from dispatch.problems import is_text
from dispatch.store.tx import LOG

if TYPE_CHECKING:
    from dispatch.engine import Engine
    from dispatch.store import Tx

MAX_KEY = 200
Step = Callable[["Tx"], Coroutine[Any, Any, tuple[int, Any]]]
_encode = msgspec.json.Encoder().encode


class Key(Struct, frozen=True):
    """Under what a command runs: whose key it is, a hash of all that was asked, and whether the client gave it."""

    city: str
    subject: str
    key: str
    body_hash: bytes
    given: bool

    def part(self, name: str) -> "Key":
        """Return the key of one part of a command that has several transactions."""
        return msgspec.structs.replace(self, key=f"{self.key}#{name}")


def read_key(given: str | None, *, city: str, subject: str, asked: tuple[bytes, ...]) -> Key:
    """Return the key of a request, one of ours where it gave none; raise `Invalid` for one that cannot be kept."""
    if given is not None and (not given or len(given) > MAX_KEY or "\0" in given or not is_text(given)):
        raise Invalid.field("/Idempotency-Key", f"a key has 1 to {MAX_KEY} characters, in UTF-8")
    body_hash = blake2b(b"\0".join(asked), digest_size=32).digest()
    return Key(city, subject, given or f"own:{ULID()}", body_hash, given is not None)


async def once(engine: "Engine", key: Key, step: Step, *, secret: bool = False) -> tuple[int, bytes]:
    """Run a step as one transaction under a key and return status and answer; again, the first ones.

    An answer that is `secret` is not kept: the step must give the same one again. Under a key that the client gave, a
    refusal of the step is returned and kept, too, as a problem document. Raises `KeyReused` for another body.
    """

    async def keyed(tx: "Tx") -> tuple[int, bytes]:
        if not await _claim(tx, key):
            first = await _first(tx, key)
            if first is not None and (first[0] >= 400 or not secret):
                return first
        status, answer = await step(tx)
        text = _encode(answer)
        await tx.conn.execute(LOG["answer_key"], key.city, key.subject, key.key, status, b"" if secret else text)
        return status, text

    try:
        return await engine.run(key.city, keyed, repeatable=True)
    except DispatchError as error:
        refusal = _refusal(error, key)

    async def keep(tx: "Tx") -> tuple[int, bytes]:
        if not await _claim(tx, key):
            return await keyed(tx)  # the same request was faster elsewhere, and its answer is the first
        await tx.conn.execute(LOG["answer_key"], key.city, key.subject, key.key, *refusal)
        return refusal

    return await engine.run(key.city, keep, repeatable=True)


async def once_in_parts(
    engine: "Engine", key: Key, work: Callable[[], Coroutine[Any, Any, tuple[int, Any]]]
) -> tuple[int, bytes]:
    """Run work that has transactions of its own, each under a part of the key, and keep its answer as a whole."""

    async def claim(tx: "Tx") -> tuple[int, bytes] | None:
        return None if await _claim(tx, key) else await _first(tx, key)

    first = await engine.run(key.city, claim, repeatable=True)
    if first is not None:
        return first
    try:
        status, answer = await work()
        text = _encode(answer)
    except DispatchError as error:
        status, text = _refusal(error, key)

    async def keep(tx: "Tx") -> tuple[int, bytes]:
        earlier = await _first(tx, key)
        if earlier is None:
            await tx.conn.execute(LOG["answer_key"], key.city, key.subject, key.key, status, text)
        return earlier or (status, text)

    return await engine.run(key.city, keep, repeatable=True)


def _refusal(error: DispatchError, key: Key) -> tuple[int, bytes]:
    """Return the answer that is kept of an error; raise it where it is none to be kept."""
    if not key.given or not 400 <= error.status < 500 or isinstance(error, KeyReused):
        raise error
    return error.status, _encode(error.document())


async def _claim(tx: "Tx", key: Key) -> bool:
    return bool(await tx.conn.fetchval(LOG["claim_key"], key.city, key.subject, key.key, key.body_hash, tx.now))


async def _first(tx: "Tx", key: Key) -> tuple[int, bytes] | None:
    """Return the first answer under a key, None where it is still being worked out."""
    row = await tx.conn.fetchrow(LOG["lock_key"], key.city, key.subject, key.key)
    if bytes(row["body_hash"]) != key.body_hash:
        raise KeyReused
    return None if row["status"] is None else (row["status"], bytes(row["answer"]))
