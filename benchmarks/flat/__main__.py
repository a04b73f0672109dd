"""`python -m benchmarks.flat`: pairs of allocate and release on pools of all kinds."""

import argparse
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from benchmarks import load, options, servers, tables
from benchmarks.cluster import Cluster, running, temporary
from benchmarks.flat import cells, held, quarantine, report
from benchmarks.flat.cells import POOL, Cell, say
from benchmarks.flat.churn import Life, Progress, churn
from benchmarks.flat.windows import Sample, Windows
from benchmarks.loader import Loader
from benchmarks.servers import Server

DEFAULTS = {"seconds": 3.0, "rounds": 5}

SIZES = [1000, 2**24 - 2]
"""Addresses; the larger is 10.0.0.0/8."""

MOST_CLIENTS = 8
"""Each service has as many connections, and all stay open."""

WARM_UP = 1.0
"""Seconds of each window whose figures are thrown away."""

Servers = Mapping[Cell, Server]


def main() -> None:
    """Measure, and print the matrix."""
    asked = _arguments()
    with _cluster(asked) as cluster:
        surrounding = tables.surroundings(cluster.version, "benchmarks.flat")
        tables.tell(surrounding)
        wanted = cells.all_of(asked.sizes, asked.clients)
        cells.make(cluster, wanted)
        with _services(cluster, wanted, asked.clients) as services:
            done, samples = _measure(asked, cluster, services)
    found = [
        report.row_of(
            cell,
            [sample for sample in samples if sample.cell == cell.database],
            report.age_of(cell, done),
        )
        for cell in services
    ]
    print(f"\n{report.table(found)}\n\n{report.verdict(found)}")
    if asked.json:
        tables.write(asked.json, surrounding, found, samples)


def _measure(
    asked: argparse.Namespace, cluster: Cluster, services: Servers
) -> tuple[Progress, list[Sample]]:
    """Let the pools grow old, then measure all in turn; the snapshots come last."""
    with (
        load.generator(len(services)) as processes,
        load.generator() as generator,
    ):
        life = Life(asked.operations // 2, asked.patience, asked.clients)
        done = churn(cluster, processes, list(services), life)
        loader = Loader(generator, cluster.postmaster, asked.seconds)
        windows = Windows(cluster, services, loader, processes, asked.clients)
        for cell in services:
            list(windows.both(cell, 0, WARM_UP))
        samples = list(_rounds(asked, services, windows))
        for cell in services if asked.snapshot else ():
            say(f"holding a snapshot on {cell.database}")
            samples += held.measure(cluster, cell, windows, asked.snapshot)
    return done, samples


def _rounds(
    asked: argparse.Namespace, services: Servers, windows: Windows
) -> Iterator[Sample]:
    for number in range(1, asked.rounds + 1):
        say(f"round {number}")
        for cell in services:
            yield from windows.both(cell, number, asked.seconds)


@contextmanager
def _services(
    cluster: Cluster, wanted: list[Cell], clients: int
) -> Iterator[dict[Cell, Server]]:
    """Serve each cell; one whose addresses should rest only if this version can."""
    with ExitStack() as stack:
        running = {}
        for cell in wanted:
            settings = cell.settings(cluster, clients)
            starting = servers.started(servers.service(settings))
            running[cell] = stack.enter_context(starting)
        knows = [
            quarantine.set_seconds(server, POOL, 0)
            for cell, server in running.items()
            if not cell.rests
        ]
        yield {
            cell: server
            for cell, server in running.items()
            if all(knows) or not cell.rests
        }


def _cluster(asked: argparse.Namespace) -> AbstractContextManager[Cluster]:
    if asked.keep is None:
        return temporary(asked.dir)
    asked.keep.mkdir(parents=True, exist_ok=True)
    asked.keep.chmod(0o711)
    return running(asked.keep)


def _arguments() -> argparse.Namespace:
    parser = options.parser("benchmarks.flat", __doc__)
    add = parser.add_argument
    add("--sizes", type=_sizes, default=SIZES, help="Of the pools, as in 1e3,1e6.")
    add("--operations", type=_number, default=10**6, help="That make a pool old.")
    add("--patience", type=float, default=3600.0, help="Seconds for them at most.")
    add("--snapshot", type=float, default=60.0, help="Seconds to hold one; 0: none.")
    add("--clients", type=_clients, default=1, help="At the same time.")
    add("--keep", type=Path, help="A folder that stays, to go on from next time.")
    asked = parser.parse_args()
    options.fill_in(asked, DEFAULTS)
    return asked


def _number(text: str) -> int:
    return options.positive(str(int(float(text))))


def _sizes(text: str) -> list[int]:
    return [_size(size) for size in text.split(",")]


def _size(text: str) -> int:
    size = _number(text)
    if not 100 <= size <= SIZES[-1]:
        raise ValueError(text)
    return size


def _clients(text: str) -> int:
    clients = options.positive(text)
    if clients > MOST_CLIENTS:
        raise ValueError(text)
    return clients


if __name__ == "__main__":
    main()
