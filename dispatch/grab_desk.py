"""Where grabs wait together: while one commit is on its way to disk, those that arrive meanwhile form the next batch.

One desk per engine and city. A batch holds a crew at most once, and an order in mode `first` at most once: who comes
second for the same order is refused from memory as soon as the first has it, and his answer is kept like any other.
The database may go away at any time: the batch is then tried again until it answers, since every grab finds its own
verdict by its message id. Nobody hears anything false in between; he waits.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter

from crew_client.protocol import GrabReason, GrabResult
from dispatch.errors import Unavailable
from dispatch.grabs import Acked, Answer, Ask, complete, judge_batch
from dispatch.logs import logger
from dispatch.metrics import Metrics
from dispatch.mirror import Mirror
from dispatch.store import Database

MOST = 1_000
"""The most grabs of one commit."""

log = logger("grabs")


class GrabDesk:
    """Gathers the grabs of one city and has them judged in batches."""

    def __init__(self, db: Database, mirror: Mirror, metrics: Metrics, *, on_complete: Callable[[str], None]) -> None:
        self._db = db
        self._mirror = mirror
        self._metrics = metrics
        self._on_complete = on_complete
        self._waiting: deque[tuple[Ask, asyncio.Future[Answer]]] = deque()
        self._taken: dict[str, tuple[int, str]] = {}
        self._some = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def ask(self, ask: Ask) -> "asyncio.Future[Answer]":
        """Return the verdict on a grab to come; it is durable, and late where the database is away."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((ask, future))
        self._some.set()
        self._idle.clear()
        return future

    async def run(self) -> None:
        """Judge batches until cancelled."""
        while True:
            await self._some.wait()
            try:
                batch = self._next_batch()
                if batch:
                    await self._judge(batch)
            finally:
                if not self._waiting:
                    self._some.clear()
                    self._idle.set()

    async def settled(self) -> None:
        """Wait until no grab is under way."""
        await self._idle.wait()

    def _next_batch(self) -> list[tuple[Ask, asyncio.Future[Answer]]]:
        batch: list[tuple[Ask, asyncio.Future[Answer]]] = []
        later: list[tuple[Ask, asyncio.Future[Answer]]] = []
        crews: set[str] = set()
        orders: set[str] = set()
        while self._waiting and len(batch) < MOST:
            ask, future = self._waiting.popleft()
            if ask.crew in crews:
                later.append((ask, future))
                continue
            if ask.refused is None and (reason := self._known(ask)):
                ask = Ask(ask.crew, ask.message, ask.order, refused=reason)
            if ask.refused is None:
                if ask.order in orders:
                    later.append((ask, future))
                    continue
                live = self._mirror.orders.get(ask.order)
                if live is None or live.mode == "first":
                    orders.add(ask.order)
            crews.add(ask.crew)
            batch.append((ask, future))
        self._waiting.extendleft(reversed(later))
        return batch

    def _known(self, ask: Ask) -> GrabReason | None:
        """Return the refusal of an order that is known to be gone; the asker must not be its holder."""
        live = self._mirror.orders.get(ask.order)
        if live is None:
            return None
        if ask.order in self._taken:
            cycle, holder = self._taken[ask.order]
            if cycle > live.cycle or (cycle == live.cycle and live.order.state == "offered"):
                return "taken" if holder != ask.crew else None
            del self._taken[ask.order]  # the mirror has seen it itself by now
        if live.order.state == "offered" or live.order.crew == ask.crew:
            return None
        return "taken" if live.order.crew is not None else None

    async def _judge(self, batch: list[tuple[Ask, asyncio.Future[Answer]]]) -> None:
        asks = [ask for ask, _ in batch]
        city = self._mirror.city
        while True:
            begun = perf_counter()
            try:
                judged = await self._db.run(city.id, lambda tx: judge_batch(tx, asks, city))
                break
            except Unavailable as error:
                log.warning("grabs wait for the database", waiting=len(asks) + len(self._waiting), error=error.detail)
                await asyncio.sleep(0.25)
            except Exception as error:
                log.exception("a batch of grabs failed", grabs=len(asks))
                if len(batch) == 1:
                    if not batch[0][1].done():
                        batch[0][1].set_exception(error)
                    return
                for single in batch:
                    await self._judge([single])
                return
        self._metrics.batch_seconds.observe(perf_counter() - begun)
        self._metrics.batch_size.observe(len(asks))
        for order in judged.claimed:
            self._taken[order.id] = (order.cycle, order.crew or "")
            self._mirror.expect(order)
        for (_, future), answer in zip(batch, judged.answers, strict=True):
            if isinstance(answer, GrabResult):
                self._metrics.grabs.labels(answer.reason).inc()
            elif isinstance(answer, Acked):
                self._metrics.grabs.labels("bid").inc()
            if not future.done():
                future.set_result(answer)
        if len(self._taken) > 10 * MOST:
            self._taken = {order: taken for order, taken in self._taken.items() if order in self._mirror.orders}
        for complete_order in complete(judged.answers):
            self._on_complete(complete_order)
