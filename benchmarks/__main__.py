"""`python -m benchmarks`: the service beside the least that it could cost."""

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from benchmarks import against, load, options, report, servers, tables, trees
from benchmarks.rounds import Sample, Servers, Windows
from benchmarks.servers import started
from benchmarks.stage import MOST_CLIENTS, Stage, prepared

WARM_UP = 0.5
"""Seconds of each window whose figures are thrown away."""

QUICK = {"seconds": 0.5, "rounds": 1, "network": "10.0.0.0/14", "clients": [1, 8, 32]}
FULL = QUICK | {"seconds": 1.5, "rounds": 3, "network": "10.0.0.0/13"}


def main() -> None:
    """Measure, and print the table."""
    asked = _arguments()
    if asked.against:
        _measure_against(asked)
    else:
        measure(asked)


def _measure_against(asked: argparse.Namespace) -> None:
    try:
        against.measure(asked)
    except trees.UnknownRef as error:
        sys.exit(str(error))


def measure(asked: argparse.Namespace) -> None:
    """Measure the service beside the limits."""
    with prepared(asked.dir, asked.network, max(asked.clients)) as stage:
        surrounding = tables.surroundings(stage.postgres_version, "benchmarks")
        surrounding["network"] = asked.network
        tables.tell(surrounding)
        with _running(stage) as running, load.generator() as generator:
            samples = list(_measured(asked, stage, running, generator))
    found = report.rows(samples)
    print(f"\n{report.table(found)}\n")
    print(f"The load generator took {report.busiest(samples):.0%} of a CPU at most.")
    if asked.json:
        tables.write(asked.json, surrounding, found, samples)


def _measured(
    asked: argparse.Namespace, stage: Stage, running: Servers, generator: Executor
) -> Iterator[Sample]:
    Windows(stage, running, generator, WARM_UP).warm(max(asked.clients))
    windows = Windows(stage, running, generator, asked.seconds)
    shared = sorted(asked.clients)[len(asked.clients) // 2]
    for number in range(1, asked.rounds + 1):
        for clients in asked.clients:
            print(f"round {number}, {clients} clients", file=sys.stderr, flush=True)
            yield from windows.run(clients, number, shared=clients == shared)


@contextmanager
def _running(stage: Stage) -> Iterator[Servers]:
    with (
        started(servers.service(stage.settings)) as service,
        started(servers.rival(servers.EMPTY)) as empty,
        started(servers.rival(servers.HELLO)) as hello,
    ):
        yield Servers(service, empty, hello)


def _arguments() -> argparse.Namespace:
    parser = options.parser("benchmarks", __doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="One round of short windows.")
    add("--clients", type=_clients, help="As in 1,8,32.")
    add("--network", help="The pool's addresses.")
    add("--against", metavar="REF", help="Measure another commit's tree, not limits.")
    asked = parser.parse_args()
    quick, full = (against.QUICK, against.FULL) if asked.against else (QUICK, FULL)
    options.fill_in(asked, quick if asked.quick else full)
    return asked


def _clients(text: str) -> list[int]:
    counts = options.counts(text)
    if max(counts) > MOST_CLIENTS:
        raise ValueError(text)
    return counts


if __name__ == "__main__":
    main()
