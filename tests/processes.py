"""Watching real processes without sleeps that hope."""

import time
from collections.abc import Callable

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
