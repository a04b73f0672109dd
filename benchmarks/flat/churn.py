"""Letting pools grow old: pair after pair on the ledger itself, a process each.

As many go together as do under load, where so many are free.

Commits are not waited for, which changes nothing of what they leave behind.
"""

import time
from concurrent.futures import Executor
from dataclasses import dataclass

from benchmarks import ledger_load
from benchmarks.cluster import Cluster
from benchmarks.flat import cells
from benchmarks.flat.cells import CHURNED, MEASURED, Cell, say
from benchmarks.flat.windows import FIRST_PROJECT
from benchmarks.ledger_load import Plan

STEP = 60.0
"""Seconds from one note of how far it has come to the next."""

TOGETHER = 32
FREE_ENOUGH = 10 * TOGETHER
"""Addresses, so that which are free stays random."""

Progress = dict[Cell, int]
"""The pairs that a cell has been through."""


@dataclass(frozen=True, slots=True)
class Life:
    """What the churned cells have to go through."""

    pairs: int
    patience: float
    """Seconds for all of it, whatever is reached by then."""
    clients: int
    """Of each cell."""


def churn(
    cluster: Cluster, processes: Executor, matrix: list[Cell], life: Life
) -> Progress:
    """Bring all churned cells to so many pairs, side by side.

    Where an interrupted run has come to is where it goes on.
    """
    known = cells.notes(cluster)
    done = {
        cell: int(known.get(cell.database) or 0)
        for cell in matrix
        if cell.age == CHURNED
    }
    deadline = time.monotonic() + life.patience
    while _unfinished(done, life.pairs) and time.monotonic() < deadline:
        say(f"churning: {', '.join(map(str, done.values()))} pairs of {life.pairs}")
        seconds = min(STEP, max(deadline - time.monotonic(), 1.0))
        _step(cluster, processes, done, life, seconds)
    for cell in matrix:
        cells.note(cluster, cell, MEASURED)
    cluster.execute("CHECKPOINT")
    return done


def _unfinished(done: Progress, pairs: int) -> list[Cell]:
    return [cell for cell, count in done.items() if count < pairs]


def _step(
    cluster: Cluster, processes: Executor, done: Progress, life: Life, seconds: float
) -> None:
    unfinished = _unfinished(done, life.pairs)
    plans = [
        Plan(
            cell.settings(cluster, life.clients),
            [str(FIRST_PROJECT + n) for n in range(life.clients)],
            seconds,
            at_most=life.pairs - done[cell],
            at_once=TOGETHER if cell.addresses // cell.period > FREE_ENOUGH else 1,
            durable=False,
        )
        for cell in unfinished
    ]
    outcomes = processes.map(ledger_load.run, plans)
    for cell, outcome in zip(unfinished, outcomes, strict=True):
        done[cell] += outcome.done
        cells.note(cluster, cell, str(done[cell]))
