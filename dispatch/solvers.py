"""Where the planner's questions are answered: in a child process that is killed at its limit, or on a Dask cluster.

Both take a question and give the answer, or raise `SolverFailed`, whatever happened there: it hung, it crashed, it was
killed, the cluster is away. A failed solve costs one plan and nothing else.
"""

import asyncio
import os
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from typing import TYPE_CHECKING, Protocol

from dispatch.logs import logger

if TYPE_CHECKING:
    from distributed import Client
    from pebble import ProcessPool

    from dispatch.config import Settings
    from optimizer.rolling import Answer, Question

GRACE_S = 1.0
"""How much longer than its search a solve may take, for what is before and behind it."""
log = logger("solver")


class SolverFailed(Exception):
    """No answer came; the message says why, `cause` in one word: `starting`, `timeout`, `died`, `cluster`, `error`."""

    def __init__(self, message: str, *, cause: str = "error") -> None:
        super().__init__(message)
        self.cause = cause


class Solver(Protocol):
    """Answers questions somewhere else."""

    def start(self) -> None:
        """Begin to make ready what it runs on; until it is, `solve` fails at once."""
        ...

    async def solve(self, question: "Question", *, seconds: float) -> "Answer":
        """Return the answer; the search takes at most `seconds`. Raises `SolverFailed`."""
        ...

    async def close(self) -> None:
        """Let go of what it runs on."""
        ...


def make_solver(settings: "Settings") -> Solver:
    """Return the solver that the settings ask for."""
    return DaskSolver(settings.solver_url) if settings.solver_url else LocalSolver()


def answer_within(question: "Question", seconds: float) -> "Answer":
    """Answer a question here and now; what runs in the child process, and on the cluster."""
    from optimizer.rolling import answer
    from optimizer.stopping import Seconds

    return answer(question, stop=Seconds(seconds))


class LocalSolver:
    """One child process, started again after it was killed."""

    def __init__(self) -> None:
        self._pool: ProcessPool | None = None
        self._ready: Future[None] | None = None
        self._ending: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start the child, and let it load and compile the search: some seconds, the first time ever half a minute."""
        from pebble import ProcessPool

        if self._pool is not None and not self._pool.active:
            self._give_up()  # its child died between two questions, or in the middle of an answer
        if self._ready is not None and not (self._ready.done() and self._ready.exception() is not None):
            return
        if self._pool is None:
            # Spawned, not forked: the planner has threads, and a loop that a copy must not run.
            self._pool = ProcessPool(max_workers=1, initializer=_be_last, context=get_context("spawn"))
        self._ready = self._pool.schedule(_make_ready)

    async def solve(self, question: "Question", *, seconds: float) -> "Answer":
        """Answer in the child; it is killed where it takes longer than it may."""
        from pebble import ProcessExpired

        self.start()
        assert self._pool is not None and self._ready is not None
        if not self._ready.done():
            raise SolverFailed("its process is still starting", cause="starting")
        limit_s = seconds + GRACE_S
        try:
            future: Future[Answer] = self._pool.schedule(answer_within, args=[question, seconds], timeout=limit_s)
            async with asyncio.timeout(limit_s + GRACE_S):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            self._give_up()
            raise SolverFailed(f"no answer within {limit_s:g} s", cause="timeout") from None
        except ProcessExpired as error:
            self._ready = None
            raise SolverFailed(f"the solver's process died with status {error.exitcode}", cause="died") from None
        except BrokenProcessPool as error:
            raise SolverFailed(f"the solver's process died: {error}", cause="died") from None
        except Exception as error:
            raise SolverFailed(f"{type(error).__name__}: {error}") from error

    def _give_up(self) -> None:
        """Kill a child that does not even notice that its time is over, and let the next question start another."""
        pool, self._pool, self._ready = self._pool, None, None
        self._ending = [ending for ending in self._ending if not ending.done()]
        if pool is not None:
            self._ending.append(asyncio.create_task(asyncio.to_thread(_kill, pool)))

    async def close(self) -> None:
        """Kill the child."""
        self._give_up()
        await asyncio.gather(*self._ending, return_exceptions=True)


def _kill(pool: "ProcessPool") -> None:
    """End a pool's processes, those that do not listen after three seconds by SIGKILL."""
    pool.stop()  # type: ignore[no-untyped-call]  # pebble leaves it untyped
    pool.join()


def _be_last() -> None:
    """Let everybody else's work go first."""
    with suppress(OSError):
        os.nice(5)


def _make_ready() -> None:
    """Load the search, compiled."""
    from optimizer.solving import ready

    ready()


class DaskSolver:
    """A cluster of workers that have this product installed; its client lives in a thread and a loop of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Client | None = None

    def start(self) -> None:
        """Nothing: it connects with its first question."""

    async def solve(self, question: "Question", *, seconds: float) -> "Answer":
        """Answer on one of the workers; where it takes too long it is given up there."""
        limit_s = seconds + GRACE_S
        try:
            async with asyncio.timeout(limit_s + GRACE_S):
                if self._client is None:
                    self._client = await asyncio.to_thread(_connect, self._url)
                executor = self._client.get_executor(pure=False)  # type: ignore[no-untyped-call]  # Dask leaves it so
                future: Future[Answer] = executor.submit(answer_within, question, seconds)
                return await asyncio.wrap_future(future)  # its cancellation cancels the task there
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise  # it is us who are cancelled, and not the question over there
            await self.close()
            raise SolverFailed("the cluster gave the question up", cause="cluster") from None
        except TimeoutError:
            raise SolverFailed(f"the cluster gave no answer within {limit_s:g} s", cause="timeout") from None
        except Exception as error:
            await self.close()
            raise SolverFailed(f"the cluster failed: {type(error).__name__}: {error}", cause="cluster") from error

    async def close(self) -> None:
        """Leave the cluster."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                await asyncio.to_thread(client.close, 1)


def _connect(url: str) -> "Client":
    from distributed import Client

    client = Client(url, timeout=GRACE_S, set_as_default=False)  # type: ignore[no-untyped-call]  # Dask leaves it so
    log.info("solving on a cluster", url=url)
    return client
