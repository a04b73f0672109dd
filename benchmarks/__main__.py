"""`python -m benchmarks`: the service beside the least that it could cost."""

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from app.embedded import die_with_parent
from benchmarks import report, servers
from benchmarks.rounds import Sample, Servers, Windows
from benchmarks.servers import started
from benchmarks.stage import MOST_CLIENTS, Stage, prepared

WARM_UP = 0.5
"""Seconds of each window whose figures are thrown away."""

LONGEST_WINDOW = 600.0

QUICK = {"seconds": 0.5, "rounds": 1, "network": "10.0.0.0/14"}
FULL = {"seconds": 1.5, "rounds": 3, "network": "10.0.0.0/13"}


def main() -> None:
    """Measure, and print the table."""
    asked = _arguments()
    with prepared(asked.dir, asked.network, max(asked.clients)) as stage:
        surrounding = report.surroundings(stage.postgres_version) | {
            "command": f"python -m benchmarks {' '.join(sys.argv[1:])}".strip(),
            "network": asked.network,
        }
        for name, value in surrounding.items():
            print(f"{name}: {value}")
        with _running(stage) as running, _generator() as generator:
            samples = list(_measured(asked, stage, running, generator))
    found = report.rows(samples)
    print(f"\n{report.table(found)}\n")
    print(f"The load generator took {report.busiest(samples):.0%} of a CPU at most.")
    if asked.json:
        report.write(asked.json, surrounding, samples, found)


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


@contextmanager
def _generator() -> Iterator[Executor]:
    with ProcessPoolExecutor(1, get_context("spawn"), die_with_parent) as executor:
        yield executor


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="One round of short windows.")
    add("--seconds", type=_seconds, help="Length of a window.")
    add("--rounds", type=_positive, help="How often everything is measured.")
    add("--clients", type=_clients, default=[1, 8, 32], help="As in 1,8,32.")
    add("--network", help="The pool's addresses.")
    add("--dir", type=Path, default=Path("/var/tmp"), help="On a real disk.")  # noqa: S108
    add("--json", type=Path, metavar="FILE", help="Where the figures go.")
    asked = parser.parse_args()
    for name, value in (QUICK if asked.quick else FULL).items():
        if getattr(asked, name) is None:
            setattr(asked, name, value)
    return asked


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.1 <= seconds <= LONGEST_WINDOW:
        raise ValueError(text)
    return seconds


def _clients(text: str) -> list[int]:
    counts = [_positive(count) for count in text.split(",")]
    if max(counts) > MOST_CLIENTS:
        raise ValueError(text)
    return counts


if __name__ == "__main__":
    main()
