"""A child process kept alive: started, started again when it dies, asked to stop, made to stop."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dispatch.logs import logger

log = logger(__name__)

BACK_OFF_S = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
LIVED_WELL_S = 5.0
"""Who lived this long had started well: what ended it was bad luck, and its next start is at once."""
GIVE_UP_AFTER = 5


class ChildSpec(NamedTuple):
    """What runs: a name for the logs, and the arguments of `qiangdan`."""

    name: str
    arguments: Sequence[str]


def lives_in_a_row(short_lives: int, lived_s: float) -> int:
    """Return how many lives in a row were short, after one more of this length; one that was not is the first again."""
    return 1 if lived_s >= LIVED_WELL_S else short_lives + 1


def back_off_s(short_lives: int) -> float:
    """Return how long to wait before the next start, after so many lives in a row that were short.

    The first restart is at once: one death is bad luck, and crews are waiting.
    """
    return BACK_OFF_S[min(short_lives, len(BACK_OFF_S)) - 1] if short_lives else 0.0


class Child:
    """Runs `qiangdan ARGUMENTS` in a process group of its own (a terminal's Ctrl-C does not reach it) again and again.

    The child ends with us: it is told our process id and asks the kernel for a signal when we die.
    """

    def __init__(self, spec: ChildSpec, environment: Mapping[str, str]) -> None:
        self.name = spec.name
        self.restarts = 0
        self.short_lives = 0
        self.failed_at_once = asyncio.Event()
        self._arguments = spec.arguments
        self._environment = {**os.environ, **environment}
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._wake = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The process id, None between two lives."""
        return self._process.pid if self._process and self._process.returncode is None else None

    def start(self) -> None:
        """Begin to keep the child alive."""
        self._task = asyncio.create_task(self._keep_alive(), name=self.name)

    async def stop(self, patience_s: float, *, hurry: asyncio.Event | None = None) -> None:
        """Ask the child to end (SIGTERM); after `patience_s`, or as soon as `hurry` is set, make it (SIGKILL)."""
        self._stopping = True
        self._wake.set()
        if self._task is None:
            return
        self._send(signal.SIGTERM)
        hurried = asyncio.create_task((hurry or asyncio.Event()).wait())
        await asyncio.wait({self._task, hurried}, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        if not self._task.done():
            log.warning("child killed", child=self.name, pid=self.pid)
            self._send(signal.SIGKILL)
        await self._task

    def _send(self, signal_number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal_number)

    async def _keep_alive(self) -> None:
        while not self._stopping:
            started_at = time.monotonic()
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                # -P: a folder of the same name under the working folder is not ours.
                *("-P", "-m", "dispatch.cli"),
                *("--end-with", str(os.getpid()), "--process-name", self.name),
                *self._arguments,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
            if self._stopping:
                self._send(signal.SIGTERM)
            log.info("child started", child=self.name, pid=self._process.pid)
            status = await self._process.wait()
            if self._stopping:
                return
            lived_s = time.monotonic() - started_at
            self.short_lives = lives_in_a_row(self.short_lives, lived_s)
            self.restarts += 1
            if self.short_lives >= GIVE_UP_AFTER:
                self.failed_at_once.set()
            wait_s = back_off_s(self.short_lives)
            log.error("child died", child=self.name, status=status, lived_s=round(lived_s, 1), restart_in_s=wait_s)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()
