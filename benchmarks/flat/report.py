"""The matrix of a run: medians of each cell, and how far apart the cells lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from benchmarks.figures import middle, spread, worst_by_best
from benchmarks.flat.cells import CHURNED, Cell
from benchmarks.flat.churn import Progress
from benchmarks.flat.windows import (
    BEFORE,
    HELD,
    HTTP,
    ROUND,
    RULES,
    Sample,
)
from benchmarks.tables import draw, ratio, share, shown

COLUMNS = (
    "addresses",
    "full",
    "age",
    "pairs/s",
    "±",
    "Postgres µs",
    "buffers",
    "WAL kB",
    "HTTP pairs/s",
    "±",
    "CPU µs",
    "held ÷",
    "last ÷",
    "HTTP held ÷",
    "last ÷",
)


@dataclass(frozen=True, slots=True)
class Row:
    """A cell: medians over the rounds, per pair; then its rates under a snapshot.

    Those are shares of the rate just before: of all the time, and of its last slice.
    """

    addresses: int
    full: str
    age: str
    rests: bool
    per_second: float | None
    spread: float | None
    postgres_us: float | None
    buffers: float | None
    wal_kb: float | None
    http_per_second: float | None
    http_spread: float | None
    http_cpu_us: float | None
    held: float | None
    held_last: float | None
    http_held: float | None
    http_held_last: float | None


def row_of(cell: Cell, samples: Sequence[Sample], age: str) -> Row:
    """Sum a cell up; `samples` are those of its rounds and those of its snapshot."""
    rules = [s for s in samples if s.by == RULES]
    http = [s for s in samples if s.by == HTTP]
    plain = [s for s in rules if s.phase == ROUND]
    plain_http = [s for s in http if s.phase == ROUND]
    wal_bytes = middle(s.wal_bytes for s in plain)
    return Row(
        cell.addresses,
        cell.full,
        age,
        cell.rests,
        middle(s.pairs_per_second for s in plain),
        spread(s.pairs_per_second for s in plain),
        middle(s.postgres_us for s in plain),
        middle(s.buffers for s in plain),
        None if wal_bytes is None else wal_bytes / 1000,
        middle(s.pairs_per_second for s in plain_http),
        spread(s.pairs_per_second for s in plain_http),
        middle((s.server_us or 0) + s.postgres_us for s in plain_http),
        *_under_snapshot(rules),
        *_under_snapshot(http),
    )


def _under_snapshot(samples: Sequence[Sample]) -> tuple[float | None, float | None]:
    """Compare with the rate just before: all the time, and the last slice."""
    before = [s.pairs_per_second for s in samples if s.phase == BEFORE]
    held = [s.pairs_per_second for s in samples if s.phase == HELD]
    if not (before and held):
        return None, None
    return mean(held) / mean(before), held[-1] / mean(before)


def age_of(cell: Cell, done: Progress) -> str:
    """Tell what a cell has been through: two operations a pair."""
    if cell.rests:
        return f"{cell.age}, resting"
    return f"after {done[cell] * 2:,}" if cell.age == CHURNED else cell.age


def table(found: Sequence[Row]) -> str:
    """Draw a Markdown table."""
    return draw(COLUMNS, [_cells(row) for row in found], words=3)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        shown(row.addresses),
        row.full,
        row.age,
        shown(row.per_second),
        share(row.spread),
        shown(row.postgres_us),
        shown(row.buffers),
        shown(row.wal_kb, "{:,.1f}"),
        shown(row.http_per_second),
        share(row.http_spread),
        shown(row.http_cpu_us),
        ratio(row.held),
        ratio(row.held_last),
        ratio(row.http_held),
        ratio(row.http_held_last),
    )


def verdict(found: Sequence[Row]) -> str:
    """Divide the worst median by the best, over the cells where nothing rests."""
    matrix = [row for row in found if not row.rests]
    apart = {
        "rate": worst_by_best(row.per_second for row in matrix),
        "Postgres µs": worst_by_best(row.postgres_us for row in matrix),
        "buffers": worst_by_best(row.buffers for row in matrix),
        "HTTP rate": worst_by_best(row.http_per_second for row in matrix),
        "CPU µs": worst_by_best(row.http_cpu_us for row in matrix),
    }
    told = ", ".join(f"{name} {ratio(value)}" for name, value in apart.items())
    kept = [rate for row in found for rate in (row.held, row.http_held)]
    least = min((rate for rate in kept if rate is not None), default=None)
    return (
        f"worst ÷ best: {told}\n"
        f"least rate with a snapshot held ÷ before: {ratio(least) or 'not measured'}"
    )
