"""The server as our child: made, started, watched, stopped; and `running_database`, for commands that need one."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, Self

import psutil

from dispatch.operator_errors import EmbeddedPostgresError
from dispatch.store.embedded.account import Account, server_account
from dispatch.store.embedded.binaries import as_account, major_version, open_door, reachable_programs, wheel_binaries
from dispatch.store.embedded.failures import OTHER_VERSION, explain_failure
from dispatch.store.embedded.folder import DataFolder
from dispatch.store.embedded.tuning import server_settings

Purpose = Literal["serve", "command"]

READY_TIMEOUT_S = 600.0  # crash recovery of a busy day takes minutes
STOP_TIMEOUT_S = 30.0
ROOM_FOR_NEW_DATA = 300_000_000  # bytes
LOG_LIMIT = 16_000_000  # bytes


class EmbeddedPostgres:
    """The PostgreSQL of one data folder; `with` starts and stops it, `url` is its address.

    `launch` must be called by a thread that lives as long as the server shall: the kernel ends the server with it.
    """

    def __init__(self, data_dir: Path, *, programs: Path | None = None, purpose: Purpose = "serve") -> None:
        self.folder = DataFolder(data_dir)
        self._programs = programs
        self._purpose = purpose
        self._account: Account | None = None
        self._socket_folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self.url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # ---- start

    def start(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Become the owner of the folder, make the data if there is none, and start the server until it is ready.

        Raises `EmbeddedPostgresError`, also where another process is the owner; nothing is left running then.
        """
        self.acquire()
        try:
            self.launch()
            self.wait_until_ready(timeout_s)
        except BaseException:
            self.stop()
            raise

    def acquire(self, wait_s: float = 30.0) -> None:
        """Become the owner of the folder and make its data if there is none; waits for a passing command to end."""
        self.folder.prepare()
        give_up_at = time.monotonic() + wait_s
        while not self.folder.take(self._purpose):
            pid, purpose = self.folder.owner()
            if purpose == "serve" or time.monotonic() > give_up_at:
                raise EmbeddedPostgresError(
                    f"The data folder {self.folder.root} is in use by process {pid}: stop that one first, "
                    "or choose another folder with --data-dir."
                )
            time.sleep(0.05)
        try:
            self._make_ready_to_launch()
        except BaseException:
            self.folder.release()
            raise

    def launch(self) -> None:
        """Start the server process, once `acquire` went well; after a crash the same call starts it again."""
        account, programs = self._account, self._programs
        assert account and programs, "acquire() comes first"
        self.folder.withdraw_url()
        self._clear_the_folder()
        if self._socket_folder is None or not self._socket_folder.exists():
            self._socket_folder = self.folder.socket_folder(account)
        sockets = Path() if self._socket_folder == self.folder.data else self._socket_folder
        settings = {**server_settings(), "unix_socket_directories": str(sockets)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        with self._open_log() as log, open_door(self.folder.data, account) as (data, descriptors):
            self._process = subprocess.Popen(
                # SIGINT is PostgreSQL's fast shutdown: with a checkpoint, without waiting for clients.
                as_account(account, [programs / "postgres", "-D", data, *options], tie_signal=signal.SIGINT),
                cwd=self.folder.data,
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Return when the launched server takes connections; raises `EmbeddedPostgresError` if it ends before."""
        process = self._process
        assert process and self._socket_folder, "launch() comes first"
        give_up_at = time.monotonic() + timeout_s
        while not self.folder.is_ready(process.pid):
            if process.poll() is not None:
                raise EmbeddedPostgresError(explain_failure(self._new_log(), self.folder.data, self.folder.log))
            if time.monotonic() > give_up_at:
                raise EmbeddedPostgresError(
                    f"PostgreSQL on {self.folder.data} was not ready after {timeout_s:.0f} s: see {self.folder.log}."
                )
            time.sleep(0.01)
        self.url = self.folder.publish_url(self._socket_folder)

    # ---- watch and stop

    @property
    def pid(self) -> int | None:
        """The server's process id, None while none of ours runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def wait(self) -> int:
        """Return the exit status of the launched server, when it ends."""
        assert self._process, "launch() comes first"
        return self._process.wait()

    def stop(self, *, immediate: bool = False) -> None:
        """Stop the server (with a checkpoint, or at once as in a crash) and cease to own the folder."""
        passing = self._purpose == "command" and self._process is not None
        with self.folder.without_guests(STOP_TIMEOUT_S) if passing else contextlib.nullcontext():
            if self._process is not None:
                self.folder.withdraw_url()
                _end(self._process, signal.SIGQUIT if immediate else signal.SIGINT)
                self._process = None
            if self._socket_folder is not None and self._socket_folder != self.folder.data:
                shutil.rmtree(self._socket_folder, ignore_errors=True)
            self._socket_folder = None
            self.folder.release()

    # ---- inside

    def _make_ready_to_launch(self) -> None:
        made_by = self.folder.version()
        data = self.folder.data
        if made_by is None and data.exists() and any(data.iterdir()):
            raise EmbeddedPostgresError(
                f"The folder {data} is not empty and not PostgreSQL's: choose another folder with --data-dir."
            )
        source = self._programs or wheel_binaries()
        ours = major_version(source)
        if made_by not in (None, ours):
            raise EmbeddedPostgresError(
                f"The folder {data} was made by PostgreSQL {made_by}, this is PostgreSQL {ours}: {OTHER_VERSION}."
            )
        self._account = server_account(data)
        self._programs = reachable_programs(source, self._account)
        if made_by is None:
            self._make_data(self._account, self._programs, ours)

    def _make_data(self, account: Account, programs: Path, version: int) -> None:
        """Make the data in a folder beside, so that a half-made one is never taken for data."""
        staging = self.folder.staging
        free = shutil.disk_usage(self.folder.root).free
        if free < ROOM_FOR_NEW_DATA:
            raise EmbeddedPostgresError(
                f"The disk of {self.folder.root} has {free / 1e6:.0f} MB left, new data takes "
                f"{ROOM_FOR_NEW_DATA / 1e6:.0f} MB: make room or choose another folder with --data-dir."
            )
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(mode=0o700)
        account.give(staging)
        # Bytewise order that does not change with the machine's C library.
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if version >= 17 else []
        make: list[str | Path] = [programs / "initdb", "--username=qiangdan", "--encoding=UTF8", "--locale=C", *locale]
        # The socket's folder keeps others out; over TCP nobody gets in, should it ever be switched on.
        self._run([*make, "--auth-local=trust", "--auth-host=reject", "--data-checksums"], account)
        self._run([programs / "postgres", "--single", "postgres"], account, "CREATE DATABASE qiangdan;\n")
        staging.rename(self.folder.data)
        descriptor = os.open(self.folder.root, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)

    def _run(self, command: list[str | Path], account: Account, text: str = "") -> None:
        staging = self.folder.staging
        with open_door(staging, account) as (data, descriptors):
            done = subprocess.run(
                as_account(account, command),
                cwd=staging,
                env={**os.environ, "PGDATA": data},
                pass_fds=descriptors,
                input=text,
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode != 0:
            with self._open_log() as log:
                log.write(f"{done.stdout}\n{done.stderr}\n".encode())
            log_text = f"{done.stdout}\n{done.stderr}"
            raise EmbeddedPostgresError(explain_failure(log_text, self.folder.data, self.folder.log))

    def _clear_the_folder(self) -> None:
        """Stop a server whose owner is gone, wait for the last of its processes, and forget its process id."""
        give_up_at = time.monotonic() + STOP_TIMEOUT_S
        while processes := self.folder.processes():
            if time.monotonic() > give_up_at:
                raise EmbeddedPostgresError(
                    f"Another PostgreSQL (process {processes[0].pid}) works in {self.folder.data} and does not stop: "
                    "stop it and start again."
                )
            hurried = time.monotonic() > give_up_at - STOP_TIMEOUT_S / 3
            with contextlib.suppress(psutil.Error):
                processes[0].send_signal(signal.SIGQUIT if hurried else signal.SIGINT)
            psutil.wait_procs(processes, timeout=0.5)
        self.folder.forget_stale_pid()

    def _open_log(self) -> BinaryIO:
        log = self.folder.log
        if log.exists() and log.stat().st_size > LOG_LIMIT:
            log.replace(log.with_suffix(".log.1"))
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._log_start = os.fstat(descriptor).st_size
        return os.fdopen(descriptor, "ab")

    def _new_log(self) -> str:
        with self.folder.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read(LOG_LIMIT).decode(errors="replace")


def _end(process: subprocess.Popen[bytes], first: signal.Signals) -> None:
    """Ask the server to stop, harder each time."""
    for signal_number, patience_s in ((first, STOP_TIMEOUT_S), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0)):
        if process.poll() is not None:
            return
        process.send_signal(signal_number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)


@contextmanager
def running_database(data_dir: Path, *, wait_s: float = 30.0) -> Iterator[str]:
    """Give the address of the folder's database: of the server that runs, or of one for the time of the block.

    Raises `EmbeddedPostgresError` where neither is to be had.
    """
    server = EmbeddedPostgres(data_dir, purpose="command")
    server.folder.prepare()
    with server.folder.guest():
        url = _url_of_running(server.folder, wait_s)
        if url is not None:
            yield url
            return
    with server:
        yield server.url


def _url_of_running(folder: DataFolder, wait_s: float) -> str | None:
    """Return the running server's address once it has one; None where nobody owned the folder: now we do."""
    give_up_at = time.monotonic() + wait_s
    while not folder.take("command"):
        if url := folder.published_url():
            return url
        if time.monotonic() > give_up_at:
            raise EmbeddedPostgresError(
                f"The server of {folder.root} (process {folder.owner()[0]}) has been starting for {wait_s:.0f} s: "
                f"see {folder.log}."
            )
        time.sleep(0.05)
    return None
