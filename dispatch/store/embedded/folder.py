"""The data folder: where things lie in it, who owns it at the moment, and which processes work in it."""

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psutil

from dispatch.operator_errors import EmbeddedPostgresError
from dispatch.store.embedded.account import Account

LONGEST_SOCKET_PATH = 107  # bytes; what struct sockaddr_un holds on Linux
SOCKET_NAME = ".s.PGSQL.5432"


class DataFolder:
    """DIR: `postgres` (the data), `postgres.log`, `postgres.url` (0600, while it runs), `postgres.lock`."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        self.data = self.root / "postgres"
        self.staging = self.root / "postgres.new"
        self.log = self.root / "postgres.log"
        self._url = self.root / "postgres.url"
        self._lock = self.root / "postgres.lock"
        self._guests = self.root / "postgres.guests"
        self._lock_descriptor: int | None = None

    def prepare(self) -> None:
        """Make the folder if need be; raises `EmbeddedPostgresError` where we may not write in it."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise EmbeddedPostgresError(
                f"The data folder {self.root} cannot be made ({error.strerror}): choose another with --data-dir."
            ) from None
        if not os.access(self.root, os.R_OK | os.W_OK | os.X_OK):
            raise EmbeddedPostgresError(
                f"The data folder {self.root} is not ours to write in: start as its owner, or choose another "
                "with --data-dir."
            )

    # ---- one owner at a time

    def take(self, purpose: str) -> bool:
        """Become the owner until `release` or the end of this process; False if somebody else is."""
        if self._lock_descriptor is not None:
            return True
        descriptor = _open_private(self._lock)
        if not _flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB):
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()} {purpose}\n".encode(), 0)
        self._lock_descriptor = descriptor
        return True

    def release(self) -> None:
        """Cease to be the owner."""
        if self._lock_descriptor is not None:
            os.close(self._lock_descriptor)
            self._lock_descriptor = None

    def owner(self) -> tuple[int, str]:
        """Return process id and purpose of who last became the owner."""
        pid, _, purpose = self._lock.read_text(encoding="utf-8").strip().partition(" ")
        return (int(pid or 0), purpose)

    @contextmanager
    def guest(self) -> Iterator[None]:
        """Use the server of another process; a passing owner (a command) does not stop it meanwhile."""
        descriptor = _open_private(self._guests)
        try:
            _flock(descriptor, fcntl.LOCK_SH)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def without_guests(self, timeout_s: float) -> Iterator[None]:
        """Wait until nobody else uses the server, or until the time is up; for the time of the block, nobody comes."""
        descriptor = _open_private(self._guests)
        try:
            give_up_at = time.monotonic() + timeout_s
            while not _flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB) and time.monotonic() < give_up_at:
                time.sleep(0.05)
            yield
        finally:
            os.close(descriptor)

    # ---- the address

    def socket_folder(self, account: Account) -> Path:
        """Return where the socket goes: beside the data, or, where that path is too long, a folder of its own."""
        if len(os.fsencode(self.data / SOCKET_NAME)) <= LONGEST_SOCKET_PATH:
            return self.data
        # Not tempfile's own choice of a folder: that may be a long path again.
        folder = Path(tempfile.mkdtemp(prefix="qiangdan-", dir="/tmp"))
        account.give(folder)
        return folder

    def publish_url(self, socket_folder: Path) -> str:
        """Write the address where other commands find it, and return it."""
        url = f"postgresql://qiangdan@/qiangdan?host={quote(str(socket_folder), safe='/')}&port=5432"
        fresh = self._url.with_suffix(".url.new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.write(descriptor, f"{url}\n".encode())
        os.close(descriptor)
        fresh.rename(self._url)
        return url

    def published_url(self) -> str | None:
        """Return the address of the running server, None while it starts."""
        try:
            return self._url.read_text(encoding="utf-8").strip() or None
        except FileNotFoundError:
            return None
        except PermissionError:
            raise EmbeddedPostgresError(
                f"The server of {self.root} runs as another user: run this command as that user or as root."
            ) from None

    def withdraw_url(self) -> None:
        """Take the address away: the server is about to stop."""
        self._url.unlink(missing_ok=True)

    # ---- what runs on it

    def version(self) -> int | None:
        """Return the major version of the PostgreSQL that made the data, None where there is none yet."""
        try:
            return int((self.data / "PG_VERSION").read_text(encoding="ascii"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise EmbeddedPostgresError(
                f"{self.data / 'PG_VERSION'} cannot be read ({error}): bring back a backup of the folder, "
                "or move it away to begin anew."
            ) from None

    def is_ready(self, pid: int) -> bool:
        """Say whether the server with this process id takes connections."""
        lines = self._pid_lines()
        return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"

    def processes(self) -> list[psutil.Process]:
        """Return every PostgreSQL process that works in this folder, the postmaster (if it lives) first.

        A server's processes never leave its data folder, so their working folder is a sure sign, unlike a process
        id in a file, which may have gone to somebody else.
        """
        found = [process for process in psutil.process_iter() if self._works_here(process)]
        postmaster = self._pid_lines()[:1]
        return sorted(found, key=lambda process: [str(process.pid)] != postmaster)

    def forget_stale_pid(self) -> None:
        """Remove the process id of a server that is gone; for the owner only, with nobody in `processes`."""
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _works_here(self, process: psutil.Process) -> bool:
        try:
            return process.name().startswith("postgres") and Path(process.cwd()).samefile(self.data)
        except (psutil.Error, OSError):
            return False

    def _pid_lines(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []


def _open_private(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except PermissionError:
        raise EmbeddedPostgresError(
            f"The data folder {path.parent} is used by another user: run this command as that user or as root."
        ) from None


def _flock(descriptor: int, operation: int) -> bool:
    try:
        fcntl.flock(descriptor, operation)
    except BlockingIOError:
        return False
    return True
