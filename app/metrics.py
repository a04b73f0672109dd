"""What each worker counts and times, for Prometheus.

Labels have few values, whatever clients send: faces, templates of routes, statuses.
Where there are several workers, each keeps its numbers in a file of a common folder,
and whichever is asked adds them all up.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from time import perf_counter

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
)

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable that makes the library keep numbers in files; it is read
once, where the library is imported."""

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

REGISTRY = CollectorRegistry()

REQUESTS = Counter(
    "floating_ips_http_requests",
    "Requests that were answered.",
    ("face", "method", "route", "status"),
    registry=REGISTRY,
)
REQUEST_SECONDS = Histogram(
    "floating_ips_http_request_seconds",
    "From the head of a request to the end of its answer.",
    ("face", "method", "route"),
    buckets=SECONDS,
    registry=REGISTRY,
)
TURNED_AWAY = Counter(
    "floating_ips_turned_away",
    "Requests refused so that others are served, by what was reached.",
    ("limit",),
    registry=REGISTRY,
)
DATABASE_WAIT = Histogram(
    "floating_ips_database_wait_seconds",
    "How long requests waited for a connection to the database.",
    buckets=SECONDS,
    registry=REGISTRY,
)
KEYSTONE_SECONDS = Histogram(
    "floating_ips_keystone_seconds",
    "How long Keystone took, by whether it answered.",
    ("outcome",),
    buckets=SECONDS,
    registry=REGISTRY,
)
TOGETHER = Histogram(
    "floating_ips_changes_together",
    "Changes that were tried in one transaction.",
    ("change",),
    buckets=(1, 2, 4, 8, 16, 32, 64),
    registry=REGISTRY,
)


class Requests:
    """Counts and times requests; finds the series of a kind of request at once."""

    def __init__(self) -> None:
        self._counters: dict[tuple[str, str, str, int], Counter] = {}
        self._timers: dict[tuple[str, str, str], Histogram] = {}

    def note(
        self, face: str, method: str, route: str, status: int, seconds: float
    ) -> None:
        """Note a request that has been answered."""
        counter = self._counters.get((face, method, route, status))
        if counter is None:
            counter = REQUESTS.labels(face, method, route, str(status))
            self._counters[(face, method, route, status)] = counter
        counter.inc()
        timer = self._timers.get((face, method, route))
        if timer is None:
            timer = REQUEST_SECONDS.labels(face, method, route)
            self._timers[(face, method, route)] = timer
        timer.observe(seconds)


@contextmanager
def keystone_timed() -> Iterator[None]:
    """Note how long Keystone takes for what happens in the block."""
    began, outcome = perf_counter(), "failed"
    try:
        yield
        outcome = "answered"
    finally:
        KEYSTONE_SECONDS.labels(outcome).observe(perf_counter() - began)


@contextmanager
def shared_by_workers() -> Iterator[None]:
    """Let processes that are started in the block keep their numbers in one folder."""
    with TemporaryDirectory(prefix="floating-ips-metrics-") as folder:
        os.environ[FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[FOLDER]


def exposition() -> bytes:
    """Return the numbers of all workers in Prometheus' text format."""
    if FOLDER not in os.environ:
        return generate_latest(REGISTRY)
    of_all = CollectorRegistry()
    multiprocess.MultiProcessCollector(of_all)  # type: ignore[no-untyped-call]
    return generate_latest(of_all)
