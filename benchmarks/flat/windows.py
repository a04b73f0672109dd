"""Windows of pairs on a cell: by the ledger's rules, and through HTTP.

The rules' commits do not wait for the disk: that wait is the same everywhere, and would
hide what differs. Through HTTP all is as it is in use.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass

from benchmarks import ledger_load, messages
from benchmarks.cluster import Cluster
from benchmarks.flat.cells import POOL, Cell
from benchmarks.ledger_load import Plan
from benchmarks.loader import Loader, cost_of
from benchmarks.servers import Server

RULES, HTTP = "rules", "HTTP"

ROUND, BEFORE, HELD = "round", "before snapshot", "snapshot held"
"""When a window was measured."""

FIRST_PROJECT = 6000

PROCESSES = 2
"""That call the ledger's rules."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one window showed; all but the rate is per pair."""

    cell: str
    by: str
    number: int
    pairs_per_second: float
    postgres_us: float
    server_us: float | None = None
    buffers: float | None = None
    """Pages that the clients' backends looked at."""
    wal_bytes: float | None = None
    starved: float | None = None
    phase: str = ROUND


class Windows:
    """Measures cells, each of which has a service of its own."""

    def __init__(
        self,
        cluster: Cluster,
        servers: Mapping[Cell, Server],
        loader: Loader,
        processes: Executor,
        clients: int,
    ) -> None:
        self._cluster = cluster
        self._servers = servers
        self._loader = loader
        self._processes = processes
        self._projects = range(FIRST_PROJECT, FIRST_PROJECT + clients)

    def both(self, cell: Cell, number: int, seconds: float) -> Iterator[Sample]:
        """Measure a cell in both ways, one after the other."""
        yield self._by_rules(cell, number, seconds)
        yield self._by_http(cell, number, seconds)

    def _by_rules(self, cell: Cell, number: int, seconds: float) -> Sample:
        projects = list(map(str, self._projects))
        plan = Plan(
            cell.settings(self._cluster, len(projects)),
            projects,
            seconds,
            durable=False,
            postmaster=self._cluster.postmaster,
        )
        processes = min(len(projects), PROCESSES)
        outcome = ledger_load.run_together(self._processes, plan, processes)
        each = max(outcome.done, 1)
        return Sample(
            cell.database,
            RULES,
            number,
            outcome.done / outcome.seconds,
            outcome.postgres * 1e6 / each,
            buffers=outcome.buffers / each,
            wal_bytes=outcome.wal_bytes / each,
        )

    def _by_http(self, cell: Cell, number: int, seconds: float) -> Sample:
        pairs = [messages.pair(project, POOL) for project in self._projects]
        cost = cost_of(self._loader.load(self._servers[cell], pairs, seconds=seconds))
        return Sample(
            cell.database,
            HTTP,
            number,
            cost.per_second / 2,
            cost.postgres_us * 2,
            cost.server_us * 2,
            starved=cost.starved,
        )
