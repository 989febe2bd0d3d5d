"""What a storm blows at: PostgreSQL, `qiangdan serve` with two engines, a second clock-keeper, and a proxy on each way.

    clients ── front proxy ── engines ── database proxy ── PostgreSQL

PostgreSQL is not the supervisor's, so that the harness decides when it comes back. Everything is a real process.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import psutil

from dispatch.operator_errors import EmbeddedPostgresError
from dispatch.store.embedded import EmbeddedPostgres
from tests.faults.proxy import DatabaseProxy, Proxy
from tests.processes import Serving

TOKEN = "storm-administrator"
ROOT = Path(__file__).parents[2]
SITE = ROOT / "tests" / "planted" / "site"
FAMILY_ENDS_S = 40.0
START_AGAIN_S = 60.0
SMALL_DISK = "900m"
CONFIG = """\
[clocks.severity.5]
hand_down_s = 1.5
arrival_s = 4
resolve_s = 8
"""
HURRIED = {
    "QIANGDAN_ADMIN_TOKEN": TOKEN,
    "QIANGDAN_GRAB_RING_S": "2,4",
    "QIANGDAN_GRAB_WINDOW_S": "1",
    "QIANGDAN_GRAB_ASSIGN_AFTER_S": "6",
    "QIANGDAN_CLOCKS_HAND_DOWN_S": "3",
    "QIANGDAN_CLOCKS_ARRIVAL_S": "8",
    "QIANGDAN_CLOCKS_RESOLVE_S": "16",
    "QIANGDAN_SOCKETS_SEND_TIMEOUT_S": "3",
    "QIANGDAN_SOCKETS_IDLE_TIMEOUT_S": "15",
    "QIANGDAN_SOCKETS_QUEUE": "300",
    "QIANGDAN_PLANNER_SOLVE_S": "0.1",
    "QIANGDAN_PLANNER_DEBOUNCE_S": "6",
    "QIANGDAN_PLANNER_WARM_UP_AFTER_S": "600",
    "QIANGDAN_LOG_LEVEL": "warning",
}
"""Short times, so that windows end, rings open and clocks run out while a storm lasts."""


class Installation:
    """A running installation; `url` is the way in for clients, `database_url` the harness's own way to PostgreSQL."""

    def __init__(
        self, folder: Path, rng: random.Random, *, planted: str | None = None, small_disk: bool = False
    ) -> None:
        self.folder = folder
        self.rng = rng
        self.planted = planted
        self.small_disk = small_disk
        self.down_until = 0.0
        self.postgres_starts = 0
        self.frozen: set[int] = set()
        self.clocks_file = folder / "clocks.json"
        self._mounted = False
        self._keeping: asyncio.Task[None] | None = None
        self._standby: subprocess.Popen[bytes] | None = None

    # Life

    async def start(self) -> None:
        """Start everything; returns when it is ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        place = self.folder / "database"
        place.mkdir(exist_ok=True)
        if self.small_disk:
            done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "storm", place], check=False)
            self._mounted = done.returncode == 0
        self.postgres = EmbeddedPostgres(place)
        self.postgres.start()  # in the loop's thread: the kernel ends the server with the thread that launched it
        self._keeping = asyncio.create_task(self._keep_postgres())
        self.database_url = self.postgres.url
        sockets = parse_qs(urlsplit(self.database_url).query)["host"][0]
        loop = asyncio.get_running_loop()
        self.database = DatabaseProxy(
            self.rng, lambda end: loop.create_unix_connection(lambda: end, f"{sockets}/.s.PGSQL.5432")
        )
        await self.database.start()
        (self.folder / "config.toml").write_text(CONFIG)
        await self.serve()
        port = urlsplit(self.serving.url).port or 0
        self.front = Proxy(self.rng, lambda end: loop.create_connection(lambda: end, "127.0.0.1", port))
        await self.front.start()
        self._start_standby()

    async def serve(self, port: int = 0) -> None:
        """Start `qiangdan serve`, on the port of before where it died."""
        options = ("--workers", "2", "--port", str(port), "--config", str(self.folder / "config.toml"))
        self.serving = Serving(self.folder / "data", *options, **self._variables())
        await asyncio.to_thread(self.serving.wait_until_ready)

    def _variables(self) -> dict[str, str]:
        path = os.pathsep.join([str(SITE), str(ROOT), *sys.path])
        variables = {**HURRIED, "QIANGDAN_DATABASE_URL": self.proxied_url, "PYTHONPATH": path}
        variables["STORM_CLOCKS"] = str(self.clocks_file)
        return variables | ({"PLANTED": self.planted} if self.planted else {})

    @property
    def proxied_url(self) -> str:
        """The processes' way to PostgreSQL."""
        return f"postgresql://qiangdan@127.0.0.1:{self.database.port}/qiangdan?sslmode=disable"

    def _start_standby(self) -> None:
        inherited = {name: text for name, text in os.environ.items() if not name.startswith("QIANGDAN_")}
        with (self.folder / "standby.log").open("ab") as log:
            self._standby = subprocess.Popen(
                [sys.executable, "-m", "dispatch.cli", "--process-name", "standby", "clocks"],
                env={**inherited, **self._variables(), "QIANGDAN_CONFIG": str(self.folder / "config.toml")},
                stdout=log,
                stderr=log,
            )

    async def stop(self) -> int:
        """Stop everything in order and return the exit status of `qiangdan serve`."""
        self.thaw()
        if self._standby is not None:
            self._standby.terminate()
            await asyncio.to_thread(self._standby.wait, 30)
        status = await asyncio.to_thread(self.serving.stop)
        if self.serving.process.stdout is not None:
            self.serving.process.stdout.close()
        await self.front.stop()
        await self.database.stop()
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        await asyncio.to_thread(self.postgres.stop)
        if self._mounted:
            subprocess.run(["umount", self.folder / "database"], check=False)
        return status

    # Processes

    @property
    def url(self) -> str:
        """Where clients reach it, through the front proxy."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        """The front proxy's port."""
        return self.front.port

    def processes(self, role: str) -> list[int]:
        """Return the process ids of a role: `engine`, `planner`, `solver`, `clocks` (both), `supervisor`, `backend`."""
        if role == "solver":
            return self._solvers()
        if role == "supervisor":
            return [self.serving.process.pid]
        if role == "backend":
            return self._backends()
        with suppress(psutil.NoSuchProcess):
            found = self.serving.children(role)
            if role == "clocks" and self._standby is not None and self._standby.poll() is None:
                found.append(self._standby.pid)
            return sorted(found)
        return []

    def workers(self) -> list[int]:
        """Return the process ids of those on whom answers depend: the engines, and the clients' own process."""
        return [os.getpid(), *self.processes("engine")]

    def _solvers(self) -> list[int]:
        with suppress(psutil.Error):
            planners = [psutil.Process(pid) for pid in self.serving.children("planner")]
            children = [child for planner in planners for child in planner.children()]
            return sorted(child.pid for child in children if any("spawn_main" in part for part in child.cmdline()))
        return []

    def _backends(self) -> list[int]:
        with suppress(psutil.NoSuchProcess):
            if (pid := self.postgres.pid) is not None:
                return sorted(
                    child.pid
                    for child in psutil.Process(pid).children()
                    if any("127.0.0.1" in part or "[local]" in part for part in child.cmdline())
                )
        return []

    def kill(self, pid: int) -> bool:
        """Kill a process; return whether there was one."""
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            if self._standby is not None and pid == self._standby.pid:
                self._standby.wait()
                self._start_standby()
            return True
        return False

    async def kill_supervisor(self) -> None:
        """Kill `qiangdan serve` itself, with which the kernel ends its children, and start it again."""
        port = urlsplit(self.serving.url).port or 0
        family = psutil.Process(self.serving.process.pid).children(recursive=True)
        self.serving.process.kill()
        await asyncio.to_thread(self.serving.process.wait)
        self.thaw()
        _, left = await asyncio.to_thread(psutil.wait_procs, family, FAMILY_ENDS_S)
        assert not left, f"{len(left)} processes live on {FAMILY_ENDS_S:g} s after the supervisor: {left}"
        if self.serving.process.stdout is not None:
            self.serving.process.stdout.close()
        await self._serve_again(port)

    async def _serve_again(self, port: int) -> None:
        """Start `qiangdan serve` as a service manager does: again, where it says that the database cannot be had."""
        give_up_at = monotonic() + START_AGAIN_S
        while True:
            try:
                await self.serve(port)
                return
            except AssertionError:
                refused = await asyncio.to_thread(self.serving.process.wait, 10) == 1
                if not refused or monotonic() > give_up_at:
                    raise
                await asyncio.sleep(1)

    async def freeze(self, pid: int, seconds: float) -> None:
        """Let a process stand still for a while."""
        if self.stand_still(pid):
            try:
                await asyncio.sleep(seconds)
            finally:
                self.thaw(pid)

    def stand_still(self, pid: int) -> bool:
        """Let a process stand still; return whether there is one."""
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            self.frozen.add(pid)
            return True
        return False

    def thaw(self, *pids: int) -> None:
        """Let processes go on: these, or all."""
        for pid in pids or tuple(self.frozen):
            self.frozen.discard(pid)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def set_clocks(self, wrong_by: dict[str, float]) -> None:
        """Let the processes of these names have wrong clocks from their next start on."""
        self.clocks_file.write_text(json.dumps(wrong_by))

    # PostgreSQL

    def crash_postgres(self, down_s: float) -> None:
        """Stop PostgreSQL as `pg_ctl stop -m immediate` does, and keep it down for a while."""
        self.down_until = monotonic() + down_s
        if (pid := self.postgres.pid) is not None:
            self.thaw(*self._backends())
            os.kill(pid, signal.SIGQUIT)

    async def _keep_postgres(self) -> None:
        """Start PostgreSQL again whenever it is down and may come back."""
        while True:
            await asyncio.sleep(0.1)
            if self.postgres.pid is not None or monotonic() < self.down_until:
                continue
            try:
                self.postgres.launch()
                await asyncio.to_thread(self.postgres.wait_until_ready, 30.0)
                self.postgres_starts += 1
            except (EmbeddedPostgresError, OSError):
                await asyncio.sleep(0.3)  # its disk is full still, or its last process is not gone

    async def connect(self) -> Any:
        """Return a connection to PostgreSQL that passes no proxy."""
        return await asyncpg.connect(self.database_url, timeout=5, command_timeout=30)

    # The disk

    @property
    def disk_can_fill(self) -> bool:
        """Whether PostgreSQL's data lie on a small disk of their own."""
        return self._mounted

    def fill_disk(self) -> None:
        """Leave no room on the database's disk."""
        with (self.folder / "database" / "ballast").open("ab", buffering=0) as ballast:
            for size in (1 << 20, 1 << 12):
                with suppress(OSError):
                    while True:
                        ballast.write(b"\0" * size)

    def free_disk(self) -> None:
        """Make room again."""
        (self.folder / "database" / "ballast").unlink(missing_ok=True)

    # The end of all faults

    async def heal(self) -> None:
        """End every fault; returns when PostgreSQL takes connections."""
        self.front.heal()
        self.database.heal()
        self.thaw()
        self.free_disk()
        self.clocks_file.unlink(missing_ok=True)
        self.down_until = 0.0
        give_up_at = monotonic() + 30
        while True:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                connection = await self.connect()
                await connection.close()
                return
            assert monotonic() < give_up_at, "PostgreSQL does not come back"
            await asyncio.sleep(0.1)
