"""What the processes count, for Prometheus. One registry per process, labelled; no multiprocess mode.

An engine shows its page at `/metrics` of its own port. A planner has no port for anybody else, so it opens a small one
of its own (`MetricsPort`).
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, start_http_server

from dispatch.logs import logger

log = logger(__name__)

FAST = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class ProcessMetrics:
    """What every process shows: who it is, and where its travel times came from."""

    def __init__(self, role: str, process: str) -> None:
        self.registry = registry = CollectorRegistry()
        Gauge("qiangdan_process_info", "Which process this is", ["role", "process"], registry=registry).labels(
            role, process
        ).set(1)
        self.travel = Counter(
            "qiangdan_travel_pairs_total",
            "Predicted travel times by where they came from; all but `source` are the plain metric's",
            ["outcome"],
            registry=registry,
        )

    def count_travel(self, outcome: str, pairs: int) -> None:
        """Count predicted travel times (`geo.travel_fallback.Tally`)."""
        self.travel.labels(outcome).inc(pairs)

    def page(self) -> bytes:
        """Return the metrics as Prometheus reads them."""
        return generate_latest(self.registry)


class Metrics(ProcessMetrics):
    """The metrics of one engine."""

    def __init__(self, role: str, process: str) -> None:
        super().__init__(role, process)
        registry = self.registry
        self.reports = Counter("qiangdan_reports_total", "Reports taken", ["outcome"], registry=registry)
        self.offers = Counter("qiangdan_offers_total", "Offers told to crews", registry=registry)
        self.grabs = Counter("qiangdan_grabs_total", "Grabs by verdict", ["verdict"], registry=registry)
        self.batch_size = Histogram(
            "qiangdan_commit_batch_size",
            "Grabs per commit",
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
            registry=registry,
        )
        self.batch_seconds = Histogram(
            "qiangdan_commit_seconds",
            "Time of a batch from its first statement to its commit",
            buckets=FAST,
            registry=registry,
        )
        self.overrides = Counter("qiangdan_overrides_total", "Overrides by action", ["action"], registry=registry)
        self.progress = Counter(
            "qiangdan_progress_total", "Progress by word and outcome", ["to", "outcome"], registry=registry
        )
        self.sockets = Gauge("qiangdan_sockets", "Open sockets", ["kind"], registry=registry)
        Gauge("qiangdan_tasks", "Tasks of the event loop that have not ended", registry=registry).set_function(_tasks)
        self.sockets_closed = Counter(
            "qiangdan_sockets_closed_total", "Sockets closed by us, by code", ["code"], registry=registry
        )
        self.events = Counter("qiangdan_events_total", "Events read from the log", ["kind"], registry=registry)
        self.reader_seq = Gauge("qiangdan_reader_seq", "Where a city's reader is", ["city"], registry=registry)
        self.reader_lag = Gauge(
            "qiangdan_reader_lag_events",
            "How many events a city's reader is behind the log",
            ["city"],
            registry=registry,
        )
        self.reader_age = Histogram(
            "qiangdan_event_age_seconds", "From an event's transaction to its telling", buckets=FAST, registry=registry
        )
        self.alarms = Counter("qiangdan_alarms_total", "Clock alarms told", ["kind", "clock"], registry=registry)
        self.requests = Histogram(
            "qiangdan_http_seconds", "HTTP requests", ["route", "status"], buckets=FAST, registry=registry
        )
        self.database_up = Gauge("qiangdan_database_up", "Whether the database answered lately", registry=registry)
        self.positions = Counter("qiangdan_positions_total", "Fixes received", registry=registry)


def _tasks() -> float:
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:  # asked for outside of a loop
        return 0


class PlannerMetrics(ProcessMetrics):
    """The metrics of one planner and of the solver that answers it."""

    def __init__(self, process: str) -> None:
        super().__init__("planner", process)
        registry = self.registry
        self.questions = Counter(
            "qiangdan_plan_questions_total",
            "Questions to the solver: `due` (an order waits for somebody), `rolling` (work in hand anew), `advice`",
            ["kind"],
            registry=registry,
        )
        self.answer_seconds = Histogram(
            "qiangdan_plan_answer_seconds",
            "From a question to its answer, where one came",
            ["kind"],
            buckets=FAST,
            registry=registry,
        )
        self.failures = Counter(
            "qiangdan_plan_failures_total",
            "Questions without an answer: `starting`, `timeout` (killed at its limit), `died`, `cluster`, `error`",
            ["cause"],
            registry=registry,
        )
        self.parts = Counter(
            "qiangdan_plan_parts_total",
            "Parts of plans by what became of them: `applied`, or `stale` and dropped",
            ["part", "outcome"],
            registry=registry,
        )
        self._age = Gauge(
            "qiangdan_plan_age_seconds", "Since the last answer about a city", ["city"], registry=registry
        )

    def count_answer(self, city_id: str, kind: str, *, seconds: float, travel: Mapping[str, int]) -> None:
        """Count an answer that came, and the travel times that the solver used for it."""
        self.answer_seconds.labels(kind).observe(seconds)
        for outcome, pairs in travel.items():
            self.count_travel(outcome, pairs)
        answered_at = monotonic()
        self._age.labels(city_id).set_function(lambda: monotonic() - answered_at)

    def count_part(self, part: str, applied: bool) -> None:
        """Count a part of a plan."""
        self.parts.labels(part, "applied" if applied else "stale").inc()


class MetricsPort:
    """A small address for the page of a process that serves nobody else; where it is taken, another try later.

    Work never waits for it and never fails by it: a planner that stands by takes the address over when the other ends.
    """

    AGAIN_S = 10.0

    def __init__(self, metrics: ProcessMetrics, host: str, port: int) -> None:
        """Show `metrics` at a host and port; port 0 is no address at all."""
        self._metrics, self._host, self._port = metrics, host, port
        self._server: WSGIServer | None = None
        self._next_try = 0.0 if port else float("inf")
        self._told = False

    def look(self) -> None:
        """Open the address if it is not open and it is time to try."""
        if self._server is not None or monotonic() < self._next_try:
            return
        try:
            self._server, _ = start_http_server(self._port, self._host, self._metrics.registry)
        except OSError as error:
            self._next_try = monotonic() + self.AGAIN_S
            if not self._told:
                log.warning("no metrics", host=self._host, port=self._port, error=error.strerror or str(error))
            self._told = True
        else:
            log.info("metrics", url=f"http://{self._host}:{self._port}/metrics")

    def close(self) -> None:
        """Close the address."""
        server, self._server = self._server, None
        if server is not None:
            with suppress(OSError):
                server.shutdown()
                server.server_close()
