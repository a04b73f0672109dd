"""Medians, spreads and ratios of a run: as a table to read, and as JSON to keep."""

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from math import isnan
from pathlib import Path
from statistics import median

from pydantic_core import to_json

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

PACKAGES = ("fastapi", "starlette", "uvicorn", "uvloop", "httptools", "asyncpg")


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
        _median(s.starved for s in samples),
        _median(s.server_us for s in samples),
        None,
        _median(s.load_us for s in samples),
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
        _median(s.starved for s in ours),
        _median(s.server_us for s in ours),
        _median(s.postgres_us for s in ours),
        _median(s.load_us for s in ours),
        _rate(limit),
        _spread(limit),
        _median(s.postgres_us for s in limit),
        _ratio(ours, empty),
        _ratio(ours, limit),
        _ratio_by_cpu(ours, empty),
    )


def _rate(samples: Sequence[Sample]) -> float:
    return median(sample.per_second for sample in samples)


def _spread(samples: Sequence[Sample]) -> float | None:
    rates = [sample.per_second for sample in samples]
    if len(rates) < 2:
        return None
    return (max(rates) - min(rates)) / 2 / median(rates)


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None and not isnan(value)]
    return median(known) if known else None


def _ratio(ours: Sequence[Sample], others: Sequence[Sample]) -> float:
    """Compare round by round."""
    rate_of = {other.number: other.per_second for other in others}
    return median(sample.per_second / rate_of[sample.number] for sample in ours)


def _ratio_by_cpu(ours: Sequence[Sample], others: Sequence[Sample]) -> float | None:
    one = _median(sample.server_us for sample in ours)
    other = _median(sample.server_us for sample in others)
    return other / one if one and other else None


def table(found: Sequence[Row]) -> str:
    """Draw a Markdown table that can be read as it is."""
    lines = [COLUMNS, *(_cells(row) for row in found)]
    widths = [max(3, *map(len, column)) for column in zip(*lines, strict=True)]
    drawn = [_line(cells, widths) for cells in lines]
    rule = [
        "-" * width if n < LEFT else "-" * (width - 1) + ":"
        for n, width in enumerate(widths)
    ]
    return "\n".join([drawn[0], f"| {' | '.join(rule)} |", *drawn[1:]])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.ljust(width) if n < LEFT else cell.rjust(width)
        for n, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |"


def _cells(row: Row) -> tuple[str, ...]:
    return (
        str(row.clients),
        row.what,
        _shown(row.per_second, "{:,.0f}"),
        _shown(row.spread, "{:.0%}"),
        _shown(row.starved, "{:.0%}"),
        _shown(row.server_us, "{:,.0f}"),
        _shown(row.postgres_us, "{:,.0f}"),
        _shown(row.load_us, "{:,.0f}"),
        _shown(row.pgbench_per_second, "{:,.0f}"),
        _shown(row.pgbench_spread, "{:.0%}"),
        _shown(row.pgbench_postgres_us, "{:,.0f}"),
        _shown(row.of_empty, "{:.2f}"),
        _shown(row.of_pgbench, "{:.2f}"),
        _shown(row.of_empty_by_cpu, "{:.2f}"),
    )


def _shown(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def busiest(samples: Sequence[Sample]) -> float:
    """Return the largest share of a processor that the load generator took."""
    return max(sample.load_busy or 0.0 for sample in samples)


def surroundings(postgres: str) -> dict[str, object]:
    """Tell where and with what the run was made."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} x {_processor()}, {platform.system()}",
        "load_average": os.getloadavg()[0],
        "python": platform.python_version(),
        "postgres": f"{postgres}, fsync on",
        **{name: version(name) for name in PACKAGES},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if "model name" in line)
    return next(named, platform.machine())


def write(
    file: Path,
    surrounding: dict[str, object],
    samples: Sequence[Sample],
    found: Sequence[Row],
) -> None:
    """Keep the figures, and every window that they were made of."""
    document = {
        **surrounding,
        "rows": [asdict(row) for row in found],
        "windows": [asdict(sample) for sample in samples],
    }
    file.write_bytes(to_json(document, indent=2, inf_nan_mode="null") + b"\n")
