"""Real processes: `qiangdan serve` as an operator has it, and watching without sleeps that hope."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil


def eventually(holds: Callable[[], bool], *, within_s: float = 30.0) -> None:
    """Return as soon as it holds; fail the test where it does not come to hold in time."""
    give_up_at = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < give_up_at, "did not come to hold in time"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """Whether the process has ended; what remains of it until somebody asks for its status does not count."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


class Serving:
    """A running `qiangdan serve`, its address and its log."""

    def __init__(self, folder: Path, *options: str, **variables: str) -> None:
        self.folder = folder
        self.log = folder.parent / f"{folder.name}.log"
        inherited = {name: text for name, text in os.environ.items() if not name.startswith("QIANGDAN_")}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dispatch.cli", "serve", "--port", "0", "--data-dir", str(folder), *options],
                env={**inherited, "PYTHONPATH": os.pathsep.join(sys.path), **variables},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.family: set[int] = set()

    def wait_until_ready(self) -> str:
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line.startswith("ready http://"), self.log.read_text()
        self.url = line.split()[1]
        self.note_family()
        return self.url

    def note_family(self) -> None:
        self.family |= {child.pid for child in psutil.Process(self.process.pid).children(recursive=True)}

    def children(self, role: str) -> list[int]:
        found = []
        for child in psutil.Process(self.process.pid).children():
            try:
                if role in child.cmdline():
                    found.append(child.pid)
            except psutil.Error:
                continue
        return found

    @property
    def postgres(self) -> int:
        return int((self.folder / "postgres" / "postmaster.pid").read_text().splitlines()[0])

    def is_healthy(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", timeout=2, trust_env=False, verify=False).is_success
        except httpx.HTTPError:
            return False

    def stop(self, signal_number: signal.Signals = signal.SIGTERM) -> int:
        self.note_family()
        self.process.send_signal(signal_number)
        return self.process.wait(60)
