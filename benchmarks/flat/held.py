"""A snapshot that somebody holds, so that nothing dead can be cleared away."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace

from app.database import LedgerDatabase, snapshot
from app.settings import Settings
from benchmarks.cluster import PATIENCE, Cluster
from benchmarks.flat.cells import Cell
from benchmarks.flat.windows import BEFORE, HELD, Sample, Windows

SLICES = 6
"""Windows of each kind while the snapshot is held."""

BEFOREHAND = 2
"""Windows of each kind before it is taken."""

TAKE = "SELECT count(*) FROM pools"


def measure(
    cluster: Cluster, cell: Cell, windows: Windows, seconds: float
) -> list[Sample]:
    """Measure a cell, then again and again while a snapshot is held for so long."""
    length = seconds / SLICES / 2
    before = [
        replace(sample, phase=BEFORE)
        for _ in range(BEFOREHAND)
        for sample in windows.both(cell, 0, length)
    ]
    settings = cell.settings(cluster, 1)
    return before + asyncio.run(_while_held(settings, windows, cell, seconds))


async def _while_held(
    settings: Settings, windows: Windows, cell: Cell, seconds: float
) -> list[Sample]:
    database = LedgerDatabase(settings, PATIENCE)
    async with database, snapshot(database) as tx:
        await tx.fetchval(TAKE)
        return await asyncio.to_thread(_slices, windows, cell, seconds)


def _slices(windows: Windows, cell: Cell, seconds: float) -> list[Sample]:
    """Measure one slice after another until the time is over."""
    end = time.monotonic() + seconds
    return list(_each_slice(windows, cell, seconds / SLICES / 2, end))


def _each_slice(
    windows: Windows, cell: Cell, length: float, end: float
) -> Iterator[Sample]:
    number = 0
    while time.monotonic() < end:
        number += 1
        for sample in windows.both(cell, number, length):
            yield replace(sample, phase=HELD)
