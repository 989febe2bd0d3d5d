"""Where grabs wait together: while commits are on their way to disk, those that arrive meanwhile form the next batch.

One desk per engine and city, with `IN_FLIGHT` batches at a time: one is judged here while PostgreSQL works on the
other. A crew stands in at most one batch at a time, and once in it; an order stands in at most one, too, and once where
a grab may win it at once. What cannot be won any more is asked for together: after an outage many ask for what is gone.
So batches never wait for each other's rows, and a crew's grabs are judged in the order in
which they came. Who comes second for the same order is refused from memory as soon as the first has it, and his
answer is kept like any other.

The database may go away at any time: the batch is then tried again until it answers, since every grab finds its own
verdict by its message id. Nobody hears anything false in between; he waits.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter

from crew_client.protocol import GrabReason, GrabResult, PublicOrder
from dispatch.claims import Sight, claim_batch, sight
from dispatch.errors import Unavailable
from dispatch.grabs import Acked, Answer, Ask, Judged, complete, judge_batch
from dispatch.logs import logger
from dispatch.metrics import Metrics
from dispatch.mirror import Mirror, Own
from dispatch.store import Database, Tx

MOST = 1_000
"""The most grabs of one commit."""

IN_FLIGHT = 2
"""How many batches are on their way at a time."""

Waiting = tuple[Ask, "asyncio.Future[Answer]"]

log = logger("grabs")


class GrabDesk:
    """Gathers the grabs of one city and has them judged in batches."""

    def __init__(
        self,
        db: Database,
        mirror: Mirror,
        metrics: Metrics,
        *,
        on_complete: Callable[[str], None],
        on_own: Callable[[Sequence[Own]], None] = lambda own: None,
    ) -> None:
        self._db = db
        self._mirror = mirror
        self._metrics = metrics
        self._on_complete = on_complete
        self._on_own = on_own
        self._waiting: deque[Waiting] = deque()
        self._taken: dict[str, tuple[int, str]] = {}
        self._taken_most = 2 * MOST
        self._crews: set[str] = set()
        self._orders: set[str] = set()
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
        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            await self._some.wait()
            batch = self._next_batch()
            if not batch:
                self._some.clear()  # whoever waits, waits for a batch under way
                continue
            crews = {ask.crew for ask, _ in batch}
            orders = {ask.order for ask, _ in batch if ask.refused is None}
            self._crews |= crews
            self._orders |= orders
            try:
                await self._judge(batch)
            except Exception as error:  # the desk goes on, and who waits is told to ask again
                log.exception("a batch of grabs failed after it was judged", grabs=len(batch))
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
            finally:
                self._crews -= crews
                self._orders -= orders
                if self._waiting:
                    self._some.set()
                elif not self._crews:
                    self._idle.set()

    async def settled(self) -> None:
        """Wait until no grab is under way."""
        await self._idle.wait()

    def _next_batch(self) -> list[Waiting]:
        batch: list[Waiting] = []
        later: list[Waiting] = []
        crews: set[str] = set()
        orders: set[str] = set()
        while self._waiting and len(batch) < MOST:
            ask, future = self._waiting.popleft()
            if ask.crew in crews or ask.crew in self._crews:
                later.append((ask, future))
                continue
            if ask.refused is None and (reason := self._known(ask)):
                ask = Ask(ask.crew, ask.message, ask.order, refused=reason)
            if ask.refused is None:
                if ask.order in orders or ask.order in self._orders:
                    later.append((ask, future))
                    crews.add(ask.crew)
                    continue
                if self._may_win_at_once(ask):
                    orders.add(ask.order)
            crews.add(ask.crew)
            batch.append((ask, future))
        self._waiting.extendleft(reversed(later))
        return batch

    def _may_win_at_once(self, ask: Ask) -> bool:
        """Return whether memory shows an order that the grab may win as it is judged, and a crew with room for it."""
        live, crew = self._mirror.orders.get(ask.order), self._mirror.crews.get(ask.crew)
        if live is None or live.mode != "first" or live.order.state != "offered":
            return False
        return crew is not None and crew.on_shift and crew.load < crew.capacity

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

    async def _judge(self, batch: list[Waiting]) -> None:
        asks = [ask for ask, _ in batch]
        city = self._mirror.city
        sights = self._sights(asks)
        fresh = True

        async def step(tx: Tx) -> Judged:
            nonlocal fresh
            first, fresh = fresh, False
            if first and sights:
                return await claim_batch(tx, asks, sights, city)
            return await judge_batch(tx, asks, city, fresh=first, seen=self._mirror.crews, held_by=self._held_by)

        while True:
            begun = perf_counter()
            try:
                judged = await self._db.run(city.id, step)
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
        for held in judged.claimed:
            self._taken[held.order] = (held.cycle, held.crew)
            self._mirror.expect(held.order, held.version, held.crew)
        verdicts: Counter[str] = Counter()
        for (_, future), answer in zip(batch, judged.answers, strict=True):
            if isinstance(answer, GrabResult):
                verdicts[answer.reason] += 1
            elif isinstance(answer, Acked):
                verdicts["bid"] += 1
            if not future.done():
                future.set_result(answer)
        if judged.own:  # after the verdicts, which are told in the loop's next round
            asyncio.get_running_loop().call_soon(self._on_own, judged.own)
        for verdict, count in verdicts.items():
            self._metrics.grabs.labels(verdict).inc(count)
        if len(self._taken) > self._taken_most:
            self._forget_taken()
        for complete_order in complete(judged.answers):
            self._on_complete(complete_order)

    def _held_by(self, crew: str) -> Iterator[PublicOrder]:
        return (live.order for live in self._mirror.held_orders(crew))

    def _sights(self, asks: list[Ask]) -> dict[str, Sight] | None:
        """Return what memory shows of the orders that are asked for, None where one must be judged under locks."""
        sights = {}
        for ask in asks:
            if ask.refused is None:
                seen = sight(self._mirror.orders.get(ask.order), self._mirror.crews.get(ask.crew))
                if seen is None:
                    return None
                sights[ask.order] = seen
        return sights

    def _forget_taken(self) -> None:
        """Keep only what the mirror does not show yet; the next time comes when twice as much is there."""
        open_orders = self._mirror.orders
        self._taken = {
            order: (cycle, holder)
            for order, (cycle, holder) in self._taken.items()
            if (live := open_orders.get(order)) is not None
            and (cycle > live.cycle or (cycle == live.cycle and live.order.state == "offered"))
        }
        self._taken_most = max(2 * MOST, 2 * len(self._taken))
