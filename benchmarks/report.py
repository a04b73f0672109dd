"""Medians, spreads and ratios of the run beside the limits."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.figures import middle, spread
from benchmarks.rounds import (
    ALLOCATE,
    EMPTY,
    HELLO,
    LIST,
    OURS,
    PGBENCH,
    RELEASE,
    SHARED,
    SHOW,
    Sample,
)
from benchmarks.tables import draw, ratio, share, shown

TITLES = {LIST: "list of 100"}
COLUMNS = (
    "clients",
    "what",
    "per s",
    "±",
    "starved",
    "server µs",
    "Postgres µs",
    "load µs",
    "pgbench per s",
    "±",
    "its Postgres µs",
    "÷ empty",
    "÷ pgbench",
    "by CPU",
)
LEFT = 2
"""The first columns, which are words."""


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one operation with so many clients: medians over the rounds.

    A spread is half of the range, as a share of the median; a ratio is the median of
    the rounds' ratios, each of windows that stood close together.
    """

    clients: int
    what: str
    per_second: float
    spread: float | None
    starved: float | None
    server_us: float | None
    postgres_us: float | None
    load_us: float | None
    pgbench_per_second: float | None = None
    pgbench_spread: float | None = None
    pgbench_postgres_us: float | None = None
    of_empty: float | None = None
    of_pgbench: float | None = None
    of_empty_by_cpu: float | None = None
    """As `of_empty`, if each had a processor to itself: from server times alone."""


def rows(samples: Sequence[Sample]) -> list[Row]:
    """Sum a run up."""
    found: list[Row] = []
    for clients in dict.fromkeys(sample.clients for sample in samples):
        here = [sample for sample in samples if sample.clients == clients]
        empty = _of(here, EMPTY)
        found += [_rival(clients, HELLO, _of(here, HELLO))]
        found += [_rival(clients, EMPTY, empty)]
        for what in (ALLOCATE, SHOW, LIST, RELEASE, SHARED):
            ours, limit = _of(here, OURS, what), _of(here, PGBENCH, what)
            if ours:
                found.append(_operation(ours, empty, limit))
    return found


def _of(samples: Sequence[Sample], who: str, what: str | None = None) -> list[Sample]:
    return [s for s in samples if s.who == who and what in (None, s.what)]


def _rival(clients: int, who: str, samples: Sequence[Sample]) -> Row:
    return Row(
        clients,
        who,
        _rate(samples),
        _spread(samples),
        middle(s.starved for s in samples),
        middle(s.server_us for s in samples),
        None,
        middle(s.load_us for s in samples),
    )


def _operation(
    ours: Sequence[Sample], empty: Sequence[Sample], limit: Sequence[Sample]
) -> Row:
    what = ours[0].what
    return Row(
        ours[0].clients,
        TITLES.get(what, what),
        _rate(ours),
        _spread(ours),
        middle(s.starved for s in ours),
        middle(s.server_us for s in ours),
        middle(s.postgres_us for s in ours),
        middle(s.load_us for s in ours),
        _rate(limit),
        _spread(limit),
        middle(s.postgres_us for s in limit),
        _ratio(ours, empty),
        _ratio(ours, limit),
        _ratio_by_cpu(ours, empty),
    )


def _rate(samples: Sequence[Sample]) -> float:
    return median(sample.per_second for sample in samples)


def _spread(samples: Sequence[Sample]) -> float | None:
    return spread(sample.per_second for sample in samples)


def _ratio(ours: Sequence[Sample], others: Sequence[Sample]) -> float | None:
    """Compare round by round."""
    rate_of = {other.number: other.per_second for other in others}
    return middle(sample.per_second / rate_of[sample.number] for sample in ours)


def _ratio_by_cpu(ours: Sequence[Sample], others: Sequence[Sample]) -> float | None:
    one = middle(sample.server_us for sample in ours)
    other = middle(sample.server_us for sample in others)
    return other / one if one and other else None


def table(found: Sequence[Row]) -> str:
    """Draw a Markdown table."""
    return draw(COLUMNS, [_cells(row) for row in found], LEFT)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        str(row.clients),
        row.what,
        shown(row.per_second),
        share(row.spread),
        share(row.starved),
        shown(row.server_us),
        shown(row.postgres_us),
        shown(row.load_us),
        shown(row.pgbench_per_second),
        share(row.pgbench_spread),
        shown(row.pgbench_postgres_us),
        ratio(row.of_empty),
        ratio(row.of_pgbench),
        ratio(row.of_empty_by_cpu),
    )


def busiest(samples: Sequence[Sample]) -> float:
    """Return the largest share of a processor that the load generator took."""
    return max(sample.load_busy or 0.0 for sample in samples)
