"""What an engine counts, for Prometheus. One registry per process, labelled; no multiprocess mode."""

import asyncio

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

FAST = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class Metrics:
    """The metrics of one process; `role` names it on every line through the constant label of `qiangdan_process`."""

    def __init__(self, role: str, process: str) -> None:
        self.registry = registry = CollectorRegistry()
        Gauge("qiangdan_process_info", "Which process this is", ["role", "process"], registry=registry).labels(
            role, process
        ).set(1)
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
        self.travel = Counter(
            "qiangdan_travel_pairs_total",
            "Predicted travel times by where they came from; all but `source` are the plain metric's",
            ["outcome"],
            registry=registry,
        )
        self.positions = Counter("qiangdan_positions_total", "Fixes received", registry=registry)

    def count_travel(self, outcome: str, pairs: int) -> None:
        """Count predicted travel times (`geo.travel_fallback.Tally`)."""
        self.travel.labels(outcome).inc(pairs)

    def page(self) -> bytes:
        """Return the metrics as Prometheus reads them."""
        return generate_latest(self.registry)


def _tasks() -> float:
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:  # asked for outside of a loop
        return 0
