"""What a process under measurement takes: processor seconds, memory, descriptors; and how many a bench may open."""

import resource
import sys
import time

import psutil

SPARE = 200
"""Descriptors beside the sockets: files, the database, pipes."""

TICK_S = 0.01


class Watched:
    """A process that is being measured."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)

    @property
    def kib(self) -> float:
        """Resident memory."""
        return float(self._process.memory_info().rss) / 1024

    @property
    def cpu_s(self) -> float:
        """Processor seconds so far, of user and system."""
        times = self._process.cpu_times()
        return float(times.user + times.system)

    @property
    def descriptors(self) -> int:
        """Open descriptors."""
        return int(self._process.num_fds())


class Span:
    """The share of one core that a process takes between two moments."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._cpu_s = watched.cpu_s
        self._began = time.perf_counter()

    @property
    def cpu_s(self) -> float:
        """Processor seconds since the beginning; the least that the system tells apart where there were none."""
        return max(self._watched.cpu_s - self._cpu_s, TICK_S)

    @property
    def share(self) -> float:
        """The part of one core since the beginning."""
        return self.cpu_s / (time.perf_counter() - self._began)


def sockets_allowed(wanted: int) -> int:
    """Return how many sockets a process may open here, `wanted` where it may; what is short is said on stderr.

    The soft limit of this process, which its children inherit, is raised as far as the hard one.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + SPARE
    if hard != resource.RLIM_INFINITY and hard < needed:
        allowed = hard - SPARE
        print(
            f"The hard limit of open files is {hard}, so {allowed} sockets instead of {wanted}: ulimit -Hn {needed}.",
            file=sys.stderr,
        )
        needed, wanted = hard, allowed
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    return wanted
