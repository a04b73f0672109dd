"""`/metrics`: what the workers counted, and how the ledger and its database stand."""

import asyncio
import platform
from collections import deque
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from time import monotonic

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app import metrics
from app.database import LedgerDatabase, connection
from app.errors import Forbidden, Unavailable
from app.faces.described import FOR_ANYBODY
from app.faces.http import SettingsDep
from app.ledger import figures
from app.ledger.pools import PoolState
from app.settings import Settings

router = APIRouter(tags=["health"])

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

FRESH = 5.0
"""Seconds that figures of the ledger are shown for: scrapes cost it little."""

RATE_OVER = 900.0
"""Seconds over which the rate is measured at which a pool is used up."""

FORWARDED = ("forwarded", "x-forwarded-for")


class NotForThisClient(Forbidden):
    """Metrics are shown to the networks alone that the operator has named."""

    def __init__(self) -> None:
        super().__init__(
            "Metrics are for the networks in FLOATING_IPS_METRICS_FROM alone."
        )


class Exhaustion:
    """When pools will be empty, if it goes on as in the last minutes."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, dict[str, int]]] = deque()

    def note(self, now: float, pools: dict[str, int]) -> None:
        """Note how many addresses are free in each pool."""
        self._samples.append((now, pools))
        while self._samples[0][0] < now - RATE_OVER:
            self._samples.popleft()

    def seconds(self, pool: str) -> float:
        """Return in how many seconds the pool has nothing free; infinity for never."""
        now, present = self._samples[-1]
        since, past = next(each for each in self._samples if pool in each[1])
        used = past[pool] - present[pool]
        return present[pool] * (now - since) / used if used > 0 else float("inf")


class Watch:
    """The figures of the ledger, read now and then by one request for all."""

    def __init__(self, database: LedgerDatabase, version: str) -> None:
        self._database = database
        self._version = version
        self._reading = asyncio.Lock()
        self._exhaustion = Exhaustion()
        self._figures: figures.Figures | None = None
        self._read_at = -FRESH

    async def exposition(self) -> bytes:
        """Return all metrics, also while the database cannot be asked."""
        async with self._reading:
            if monotonic() - self._read_at >= FRESH:
                self._figures = await self._read()
                self._read_at = monotonic()
        registry = CollectorRegistry()
        registry.register(_Gauges(self._version, self._figures, self._exhaustion))
        return metrics.exposition() + generate_latest(registry)

    async def _read(self) -> figures.Figures | None:
        try:
            async with connection(self._database) as lent:
                read = await figures.read(lent)
        except Unavailable:
            return None
        free = {pool.name: pool.free for pool in read.pools}
        self._exhaustion.note(monotonic(), free)
        return read


class _Gauges(Collector):
    """What is not counted, but read."""

    def __init__(
        self, version: str, read: figures.Figures | None, exhaustion: Exhaustion
    ) -> None:
        self._version = version
        self._figures = read
        self._exhaustion = exhaustion

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield each family, those of the ledger only if it could be read."""
        yield _gauge(
            "build_info",
            "Always 1; the labels tell what runs.",
            ("version", "python"),
            [((self._version, platform.python_version()), 1)],
        )
        read = self._figures
        up = int(read is not None)
        yield _gauge("database_up", "Whether the database answers.", (), [((), up)])
        if read is None:
            return
        yield from self._pools(read.pools)
        for name, each in (("limit", "allowed"), ("used", "used")):
            yield _gauge(
                f"quota_{name}",
                "Of the projects that are nearest to the end of theirs; -1: no limit.",
                ("project_id",),
                [((id,), getattr(quota, each)) for id, quota in read.fullest],
            )
        yield _gauge(
            "database_oldest_transaction_seconds",
            "Age of the oldest transaction that the service's role may see.",
            (),
            [((), read.transaction_seconds)],
        )
        yield _gauge(
            "database_oldest_snapshot_transactions",
            "Transactions since the oldest snapshot that is held; vacuum waits for it.",
            (),
            [((), read.snapshot_transactions)],
        )

    def _pools(self, pools: Sequence[PoolState]) -> Iterator[GaugeMetricFamily]:
        states = ("free", "held", "resting", "reserved")
        yield _gauge(
            "pool_addresses",
            "Addresses of a pool by state; their sum is its total.",
            ("pool", "state"),
            [
                ((pool.name, state), getattr(pool, state))
                for pool in pools
                for state in states
            ],
        )
        yield _gauge(
            "pool_total",
            "All addresses of a pool.",
            ("pool",),
            [((pool.name,), pool.total) for pool in pools],
        )
        yield _gauge(
            "pool_exhaustion_seconds",
            "Until nothing is free, at the rate of the last 15 minutes.",
            ("pool",),
            [((pool.name,), self._exhaustion.seconds(pool.name)) for pool in pools],
        )


def _gauge(
    name: str,
    says: str,
    labels: tuple[str, ...],
    samples: Sequence[tuple[tuple[str, ...], float]],
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"floating_ips_{name}", says, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


@router.get("/metrics", include_in_schema=False, openapi_extra=FOR_ANYBODY)
async def show_metrics(request: Request, settings: SettingsDep) -> Response:
    """Show what Prometheus collects, to the networks that may see it."""
    if not _may_see(request, settings):
        raise NotForThisClient
    watch: Watch = request.app.state.watch
    return Response(await watch.exposition(), media_type=MEDIA_TYPE)


def _may_see(request: Request, settings: Settings) -> bool:
    """Go by the peer's address; behind a proxy nobody knows whose it is."""
    if request.client is None or any(name in request.headers for name in FORWARDED):
        return False
    try:
        address = ip_address(request.client.host)
    except ValueError:
        return False
    return any(address in network for network in settings.metrics_from)
