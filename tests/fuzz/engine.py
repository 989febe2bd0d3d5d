"""The engine under fuzz: where it is, who may ask it, what it holds, and what it has logged."""

import itertools
import json
import os
import socket
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
from msgspec import Struct, field

ROLES = ("admin", "dispatcher", "monitor", "intake", "crew")
PREFIX = "/api/v1"


class Footprint(Struct, frozen=True):
    """What a process holds: resident memory in MiB, open descriptors, threads."""

    mib: float
    descriptors: int
    threads: int


class Fuzzed(Struct):
    """A running engine with one city; `ids` are things that exist, by the name of the path parameter."""

    url: str
    pid: int
    log: Path
    tokens: dict[str, str]
    crew_tokens: list[str] = field(default_factory=list)
    ids: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def is_ready(self) -> bool:
        """Whether it answers."""
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2, trust_env=False, verify=False).is_success
        except httpx.HTTPError:
            return False

    def http(self, role: str) -> httpx.Client:
        """A client that says who it is."""
        headers = {"Authorization": f"Bearer {self.tokens[role]}"}
        return httpx.Client(base_url=f"{self.url}{PREFIX}", headers=headers, timeout=30, trust_env=False, verify=False)

    def call(self, role: str, method: str, path: str, **more: Any) -> httpx.Response:
        """Make one request."""
        with self.http(role) as http:
            return http.request(method, path, **more)

    def footprint(self) -> Footprint:
        """What the process holds now."""
        process = psutil.Process(self.pid)
        return Footprint(round(process.memory_info().rss / 2**20, 1), process.num_fds(), process.num_threads())

    def failures(self) -> list[str]:
        """The lines of its log that say that something failed."""
        lines = self.log.read_text("utf-8", "replace").splitlines()
        return [line for line in lines if _is_failure(line)]


def _is_failure(line: str) -> bool:
    try:
        entry = json.loads(line)
    except ValueError:
        return bool(line.strip())
    return entry.get("level") in ("error", "critical")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def minutes() -> float:
    """How long a long run is to take, about, for each of its kinds; 0 in a short one, which is the same every time."""
    return float(os.environ.get("QIANGDAN_TEST_FUZZ_MINUTES") or 0)


def until_due(least: int) -> Iterator[int]:
    """Count up: from 0 to `least` in a short run, from a number of the day on for the minutes of a long one."""
    give_up_at = time.monotonic() + 60 * minutes()
    first = int(time.time()) * 1_000 if minutes() else 0
    for number in itertools.count(first):
        if number - first >= least and time.monotonic() >= give_up_at:
            return
        yield number
