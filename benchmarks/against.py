"""This tree and that of another commit, side by side: through HTTP alone.

Each has a database of its own in one Postgres, which its own commands have made, since
the other version's schema and SQL may be others.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks import load, servers, sides, tables, trees
from benchmarks.cluster import Cluster, temporary
from benchmarks.figures import middle, ratios, spread
from benchmarks.loader import Loader, cost_of
from benchmarks.sides import OPERATIONS, Side
from benchmarks.tables import draw, ratio, share, shown
from benchmarks.trees import NOW, Tree

QUICK = {"seconds": 0.5, "rounds": 1, "network": "10.0.0.0/16", "clients": [8]}
FULL = {"seconds": 0.5, "rounds": 8, "network": "10.0.0.0/14", "clients": [8, 32]}

QUOTA = 1_000_000
"""Large, yet counted: no limit might cost less."""

WARM_UP = 0.5
"""Seconds of each window whose figures are thrown away."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one window showed; microseconds are per request."""

    tree: str
    what: str
    clients: int
    number: int
    per_second: float
    server_us: float
    postgres_us: float
    cpu_us: float
    """Of both."""
    starved: float
    load_busy: float


def measure(asked: argparse.Namespace) -> None:
    """Measure both, and print the table.

    Raises UnknownRef.
    """
    with (
        trees.exported(asked.against, asked.dir) as then,
        temporary(asked.dir) as cluster,
        load.generator() as generator,
    ):
        surrounding = tables.surroundings(cluster.version, "benchmarks")
        surrounding |= {"network": asked.network, "against": then.name}
        tables.tell(surrounding)
        loader = Loader(generator, cluster.postmaster, asked.seconds)
        warming = Loader(generator, cluster.postmaster, WARM_UP)
        with (
            _side(cluster, NOW, asked, loader) as ours,
            _side(cluster, then, asked, loader) as theirs,
        ):
            both = (ours, theirs)
            for _ in _round(both, warming, max(asked.clients), 0):
                pass
            samples = list(_measured(asked, loader, both))
    found = rows(samples)
    print(f"\n{table(found, then.name)}")
    if asked.json:
        tables.write(asked.json, surrounding, found, samples)


@contextmanager
def _side(
    cluster: Cluster, tree: Tree, asked: argparse.Namespace, loader: Loader
) -> Iterator[Side]:
    """Make the database as the tree would, and serve it."""
    database = f"bench_{tree.name}"
    cluster.create(database)
    settings = cluster.settings(database, QUOTA)
    tree.run(settings, "migrate")
    tree.run(settings, "pool", "add", settings.default_pool, asked.network)
    with servers.started(servers.command(tree.folder, settings)) as server:
        side = sides.filled(tree.name, server, loader, max(asked.clients))
        cluster.settle(database)
        yield side


def _measured(
    asked: argparse.Namespace, loader: Loader, both: tuple[Side, Side]
) -> Iterator[Sample]:
    for number in range(1, asked.rounds + 1):
        for clients in asked.clients:
            print(f"round {number}, {clients} clients", file=sys.stderr, flush=True)
            ordered = both if number % 2 else both[::-1]
            yield from _round(ordered, loader, clients, number)


def _round(
    both: tuple[Side, Side], loader: Loader, clients: int, number: int
) -> Iterator[Sample]:
    """Measure each operation on one side, then at once on the other."""
    series = [sides.windows(side, loader, clients, number) for side in both]
    for measured in zip(*series, strict=True):
        for side, (what, outcome) in zip(both, measured, strict=True):
            cost = cost_of(outcome)
            yield Sample(
                side.name,
                what,
                clients,
                number,
                cost.per_second,
                cost.server_us,
                cost.postgres_us,
                cost.server_us + cost.postgres_us,
                cost.starved,
                cost.load_busy,
            )


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one operation: medians over the rounds, and half of the range.

    A ratio is the median of the rounds' ratios, now by then.
    """

    clients: int
    what: str
    per_second: float | None
    spread: float | None
    then_per_second: float | None
    then_spread: float | None
    rate_ratio: float | None
    rate_ratio_spread: float | None
    cpu_us: float | None
    then_cpu_us: float | None
    cpu_ratio: float | None
    cpu_ratio_spread: float | None


def rows(samples: Sequence[Sample]) -> list[Row]:
    """Sum a run up."""
    counts = dict.fromkeys(sample.clients for sample in samples)
    return [
        _row(
            clients,
            what,
            [s for s in samples if (s.clients, s.what) == (clients, what)],
        )
        for clients in counts
        for what in OPERATIONS
    ]


def _row(clients: int, what: str, samples: Sequence[Sample]) -> Row:
    """Compare both sides' windows of the same rounds."""
    in_turn = sorted(samples, key=lambda sample: sample.number)
    ours = [sample for sample in in_turn if sample.tree == NOW.name]
    theirs = [sample for sample in in_turn if sample.tree != NOW.name]
    rates, then_rates = _each(ours, "per_second"), _each(theirs, "per_second")
    costs, then_costs = _each(ours, "cpu_us"), _each(theirs, "cpu_us")
    by_rate, by_cost = ratios(rates, then_rates), ratios(costs, then_costs)
    return Row(
        clients,
        what,
        middle(rates),
        spread(rates),
        middle(then_rates),
        spread(then_rates),
        middle(by_rate),
        spread(by_rate),
        middle(costs),
        middle(then_costs),
        middle(by_cost),
        spread(by_cost),
    )


def _each(samples: Sequence[Sample], figure: str) -> list[float | None]:
    return [getattr(sample, figure) for sample in samples]


def table(found: Sequence[Row], then: str) -> str:
    """Draw a Markdown table."""
    columns = ["clients", "what", "per s", "±", f"{then} per s", "±", "÷", "±"]
    columns += ["CPU µs", f"{then} CPU µs", "÷", "±"]
    return draw(columns, [_cells(row) for row in found], words=2)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        str(row.clients),
        row.what,
        shown(row.per_second),
        share(row.spread),
        shown(row.then_per_second),
        share(row.then_spread),
        ratio(row.rate_ratio),
        share(row.rate_ratio_spread),
        shown(row.cpu_us),
        shown(row.then_cpu_us),
        ratio(row.cpu_ratio),
        share(row.cpu_ratio_spread),
    )
