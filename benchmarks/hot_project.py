"""What it costs that all clients allocate for one project: its rate by that of many.

`python -m benchmarks.hot_project`: durable allocations, the same number of clients for
one project and for one each, in turn: through HTTP, by the ledger's rules without HTTP,
and by pgbench, where no Python hides how long a lock is held.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks import ledger_load, load, messages, options, servers, tables
from benchmarks import stage as places
from benchmarks.figures import middle, ratios, spread
from benchmarks.ledger_load import Plan
from benchmarks.loader import Loader
from benchmarks.rounds import ALLOCATE, SHARED
from benchmarks.servers import Server
from benchmarks.stage import Stage, prepared
from benchmarks.tables import draw, ratio, share, shown

QUICK = {"seconds": 1.0, "rounds": 1, "network": "10.0.0.0/15"}
FULL = {"seconds": 2.0, "rounds": 7, "network": "10.0.0.0/13"}

CLIENTS = 32
QUOTA = 1_000_000
"""Large, yet counted: no limit might need no lock."""

WORKERS = {1: "HTTP, 1 worker", 2: "HTTP, 2 workers"}
PROCESSES = 2
"""That call the ledger's rules."""

COLUMNS = (
    "by",
    f"{CLIENTS} projects, per s",
    "±",
    "one project, per s",
    "±",
    "one ÷ many",
    "±",
)

Allocating = Callable[[bool], float]
"""Lets all clients allocate, for one project (True) or for one each; the rate."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What the two windows of a round showed, per second."""

    by: str
    number: int
    many: float
    one: float


@dataclass(frozen=True, slots=True)
class Row:
    """Medians over the rounds, half of the range, and the ratio round by round."""

    by: str
    many: float | None
    many_spread: float | None
    one: float | None
    one_spread: float | None
    ratio: float | None
    ratio_spread: float | None


def main() -> None:
    """Measure, and print the table."""
    asked = _arguments()
    with ExitStack() as stack:
        stage = stack.enter_context(prepared(asked.dir, asked.network, CLIENTS, QUOTA))
        version = stage.postgres_version
        surrounding = tables.surroundings(version, "benchmarks.hot_project")
        tables.tell(surrounding)
        ways = _ways(asked, stage, stack)
        for _ in _measured(1, ways):  # Connections are opened, statements planned.
            pass
        samples = list(_measured(asked.rounds, ways))
    found = [_row(by, [s for s in samples if s.by == by]) for by in ways]
    print(f"\n{_table(found)}")
    if asked.json:
        tables.write(asked.json, surrounding, found, samples)


def _measured(rounds: int, ways: dict[str, Allocating]) -> Iterator[Sample]:
    for number in range(1, rounds + 1):
        print(f"round {number}", file=sys.stderr, flush=True)
        for by, allocate in ways.items():
            first = bool(number % 2)
            rates = {first: allocate(first), not first: allocate(not first)}
            yield Sample(by, number, rates[False], rates[True])


def _ways(
    asked: argparse.Namespace, stage: Stage, stack: ExitStack
) -> dict[str, Allocating]:
    generator = stack.enter_context(load.generator())
    loader = Loader(generator, stage.postmaster, asked.seconds)
    ways: dict[str, Allocating] = {}
    for workers, by in WORKERS.items():
        serving = servers.service(stage.settings, workers)
        server = stack.enter_context(servers.started(serving))
        ways[by] = _by_http(stage, server, loader)
    processes = stack.enter_context(load.generator(PROCESSES))
    ways["the ledger's rules"] = _by_rules(asked.seconds, stage, processes)
    ways["pgbench"] = _by_pgbench(asked.seconds, stage)
    return ways


def _by_http(stage: Stage, server: Server, loader: Loader) -> Allocating:
    pool = stage.settings.default_pool

    def allocate(of_one: bool) -> float:
        asked = [[messages.allocate(project, pool)] for project in _projects(of_one)]
        outcome = loader.load(server, asked)
        return outcome.answered / outcome.seconds

    return allocate


def _by_rules(seconds: float, stage: Stage, processes: Executor) -> Allocating:
    def allocate(of_one: bool) -> float:
        projects = list(map(str, _projects(of_one)))
        plan = Plan(stage.settings, projects, seconds, gives_back=False)
        outcome = ledger_load.run_together(processes, plan, PROCESSES)
        return outcome.done / outcome.seconds

    return allocate


def _by_pgbench(seconds: float, stage: Stage) -> Allocating:
    def allocate(of_one: bool) -> float:
        what = SHARED if of_one else ALLOCATE
        first = places.ALL_OF_PGBENCH if of_one else places.PGBENCH
        return stage.run_pgbench(what, CLIENTS, first, seconds).per_second

    return allocate


def _projects(of_one: bool) -> list[int]:
    """Return each client's project."""
    if of_one:
        return [places.ALL_OF_SERVICE] * CLIENTS
    return list(range(places.SERVICE, places.SERVICE + CLIENTS))


def _row(by: str, samples: Sequence[Sample]) -> Row:
    many: list[float | None] = [sample.many for sample in samples]
    one: list[float | None] = [sample.one for sample in samples]
    compared = ratios(one, many)
    return Row(
        by,
        middle(many),
        spread(many),
        middle(one),
        spread(one),
        middle(compared),
        spread(compared),
    )


def _table(found: Sequence[Row]) -> str:
    return draw(COLUMNS, [_cells(row) for row in found], words=1)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.by,
        shown(row.many),
        share(row.many_spread),
        shown(row.one),
        share(row.one_spread),
        ratio(row.ratio),
        share(row.ratio_spread),
    )


def _arguments() -> argparse.Namespace:
    parser = options.parser("benchmarks.hot_project", __doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="One round of short windows.")
    add("--network", help="The pool's addresses.")
    asked = parser.parse_args()
    options.fill_in(asked, QUICK if asked.quick else FULL)
    return asked


if __name__ == "__main__":
    main()
