"""`qiangdan serve`: the composition root of an installation on one machine.

    supervisor ── PostgreSQL (where no URL is set) ── N engines on one port ── planner ── clock-keeper

Each is a process of its own and is started again when it dies; the first restart is at once. On SIGTERM or Ctrl-C
companions say goodbye first, then the engines drain, then the background roles end, then PostgreSQL, with a
checkpoint. A second signal hurries.
Nothing is left behind: whatever kills the supervisor, the kernel ends its children.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec

from dispatch.children import GIVE_UP_AFTER, Child, ChildSpec, back_off_s, lives_in_a_row
from dispatch.config import Settings, to_environment
from dispatch.limits import raise_open_file_limit
from dispatch.logs import logger
from dispatch.operator_errors import OperatorError
from dispatch.ports import Address, hold_port
from dispatch.store.connect import connected
from dispatch.store.embedded import EmbeddedPostgres, EmbeddedPostgresError
from dispatch.store.migrate import check_durability, migrate

log = logger(__name__)

DRAIN_S = 10.0
END_S = 5.0


class StartFailed(OperatorError):
    """A part of the installation ends as soon as it is started."""


def run_supervisor(
    settings: Settings,
    *,
    companions: Sequence[ChildSpec] = (),
    on_ready: Callable[[Address, str], None] | None = None,
) -> int:
    """Serve until a signal comes and return the exit status.

    `companions` run beside the engines from readiness on (the demo's fleet) and are stopped first. `on_ready` is told
    the address and the administrator's token, in a thread, before they start; without it a line `ready http://...` is
    printed. Raises `OperatorError` where the start fails; nothing is left running then.
    """
    return asyncio.run(Supervisor(settings, companions=companions, on_ready=on_ready).run())


class StopAskedFor(Exception):
    """A signal came before everything was started."""


class Supervisor:
    """One life of `qiangdan serve`; `run` is its story."""

    def __init__(
        self,
        settings: Settings,
        *,
        companions: Sequence[ChildSpec] = (),
        on_ready: Callable[[Address, str], None] | None = None,
    ) -> None:
        self._settings = settings
        self._companions = companions
        self._on_ready = on_ready or _print_ready
        self._postgres: EmbeddedPostgres | None = None
        self._engines: list[Child] = []
        self._background: list[Child] = []
        self._company: list[Child] = []
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()

    async def run(self) -> int:
        """Start everything, keep it running until a signal, stop everything."""
        self._listen_to_signals()
        raise_open_file_limit()
        address, held = hold_port(self._settings.host, self._settings.port)
        watch: asyncio.Task[None] | None = None
        try:
            self._settings = msgspec.structs.replace(
                self._settings, port=address.port, database_url=await self._start_database()
            )
            watch = asyncio.create_task(self._watch_postgres())
            token = await prepare_database(self._settings)
            self._start_children(address)
            await self._or_stop(self._until_ready(address))
            await self._or_stop(asyncio.to_thread(self._on_ready, address, token))
            self._add(self._company, self._companions)
            await self._stop.wait()
        except StopAskedFor:
            log.info("stopped before it was ready")
        finally:
            await self._stop_everything(watch)
            held.close()
        return 0

    # ---- start

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    async def _start_database(self) -> str:
        if self._settings.database_url is not None:
            return self._settings.database_url
        self._postgres = EmbeddedPostgres(self._settings.data_dir)
        # In this thread, which lives as long as we do: the kernel ends the server with the thread that launched it.
        self._postgres.acquire()
        self._postgres.launch()
        await self._or_stop(asyncio.to_thread(self._postgres.wait_until_ready))
        log.info("postgres started", pid=self._postgres.pid, data_dir=str(self._postgres.folder.root))
        return self._postgres.url

    def _start_children(self, address: Address) -> None:
        place = ("--host", self._settings.host, "--port", str(address.port))
        engines = [ChildSpec(f"engine-{n}", ("engine", *place)) for n in range(1, self._settings.workers + 1)]
        self._add(self._engines, engines)
        self._add(self._background, (ChildSpec("planner", ("planner",)), ChildSpec("clocks", ("clocks",))))

    def _add(self, children: list[Child], specs: Sequence[ChildSpec]) -> None:
        for spec in specs:
            child = Child(spec, to_environment(self._settings))
            child.start()
            children.append(child)

    async def _until_ready(self, address: Address) -> None:
        """Return when the engines answer; raises `StartFailed` where one cannot be kept alive."""
        ready = asyncio.create_task(_answers(address))
        failures = [asyncio.create_task(child.failed_at_once.wait()) for child in self._engines]
        try:
            await asyncio.wait([ready, *failures], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (ready, *failures):
                task.cancel()
        for child in self._engines:
            if child.failed_at_once.is_set():
                raise StartFailed(
                    f"The process {child.name} ended {GIVE_UP_AFTER} times as soon as it was started: "
                    "its own words stand above; 'qiangdan doctor' may know more."
                )

    async def _or_stop(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work unless a signal comes first; raises `StopAskedFor` then."""
        working, stop = asyncio.create_task(work), asyncio.create_task(self._stop.wait())
        await asyncio.wait({working, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not working.done():
            working.cancel()
            raise StopAskedFor
        await working

    # ---- watch

    async def _watch_postgres(self) -> None:
        """Start our PostgreSQL again whenever it ends; the engines find it by the same address."""
        short_lives = 0
        while self._postgres is not None:
            started_at = time.monotonic()
            status = await asyncio.to_thread(self._postgres.wait)
            if self._stop.is_set():
                return
            short_lives = lives_in_a_row(short_lives, time.monotonic() - started_at)
            log.error("postgres died", status=status, restart_in_s=back_off_s(short_lives))
            await asyncio.sleep(back_off_s(short_lives))
            try:
                self._postgres.launch()
                await asyncio.to_thread(self._postgres.wait_until_ready)
                log.info("postgres started again", pid=self._postgres.pid)
            except EmbeddedPostgresError as error:
                log.error("postgres not started", reason=str(error))

    # ---- stop

    async def _stop_everything(self, watch: asyncio.Task[None] | None) -> None:
        self._stop.set()
        # Of a start that failed before anything ran there is nothing to tell but why.
        anything = self._engines or (self._postgres is not None and self._postgres.pid is not None)
        if anything:
            log.info("stopping")
        await asyncio.gather(*(child.stop(END_S, hurry=self._hurry) for child in self._company))
        await asyncio.gather(*(child.stop(DRAIN_S, hurry=self._hurry) for child in self._engines))
        await asyncio.gather(*(child.stop(END_S, hurry=self._hurry) for child in self._background))
        if self._postgres is not None:
            await asyncio.to_thread(self._postgres.stop)
        if watch is not None:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch
        if anything:
            log.info("stopped")


async def prepare_database(settings: Settings) -> str:
    """Migrate, insist on durability, make the first city, and return its administrator's token.

    Raises `OperatorError` for a database that cannot be used.
    """
    from dispatch.access import ensure_admin_token
    from dispatch.cities import DEMO_CITY, FIRST_CITY, ensure_first_city

    assert settings.database_url is not None
    async with connected(settings.database_url) as connection:
        await check_durability(connection)
        for migration in await migrate(connection):
            log.info("migrated", version=migration.version, migration=migration.name)
        await ensure_first_city(connection, DEMO_CITY if settings.demo else FIRST_CITY)
        token = settings.admin_token or kept_admin_token(settings.data_dir)
        await ensure_admin_token(connection, FIRST_CITY, token)
    return token


def kept_admin_token(data_dir: Path) -> str:
    """Return the token in DIR/admin.token (0600), made if it is not there."""
    from dispatch.access import new_token

    file = data_dir / "admin.token"
    with contextlib.suppress(FileNotFoundError):
        if kept := file.read_text(encoding="utf-8").strip():
            return kept
    token = new_token()
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise OperatorError(
            f"The administrator's token cannot be written to {file} ({error.strerror}): choose another folder with "
            "--data-dir, or set QIANGDAN_ADMIN_TOKEN."
        ) from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(f"{token}\n")
    return token


async def _answers(address: Address) -> None:
    """Return when /healthz answers."""
    async with httpx.AsyncClient(timeout=2, trust_env=False) as client:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if (await client.get(f"{address.url}/healthz")).is_success:
                    return
            await asyncio.sleep(0.05)


def _print_ready(address: Address, _: str) -> None:
    sys.stdout.write(f"ready {address.url}\n")
    sys.stdout.flush()
