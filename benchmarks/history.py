"""What it costs to read history: a plan and a time for each filter.

`python -m benchmarks.history`: fills the table with millions of intervals, then asks
what an operator asks, by the service's own statements, and prints each plan.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app import migrations
from app.database import Connection, LedgerDatabase, connection
from app.ledger import intervals
from app.ledger.addresses import parse_address
from app.ledger.intervals import Filter, Window
from benchmarks import cluster

ADDRESSES, PROJECTS, SERVERS = 65_536, 1000, 100_000
BEGAN = datetime(2020, 1, 1, tzinfo=UTC)
APART = timedelta(seconds=30)
"""Between the beginnings of two intervals; each lasts until its address is next."""

# The constraint is taken off and put on again: an index of its kind is built over
# millions of rows in minutes, and grows by them row by row in many more.
WITHOUT_CONSTRAINT = "ALTER TABLE history DROP CONSTRAINT one_owner_at_a_time"
WITH_CONSTRAINT = """
ALTER TABLE history ADD CONSTRAINT one_owner_at_a_time
    EXCLUDE USING gist (address_key(address) WITH =, address inet_ops WITH =,
                        tstzrange(since, until) WITH &&)
"""
FILL = """
INSERT INTO history (address, floating_ip_id, project_id, fixed_ip, server_id, since,
                     until, actor, request_id)
SELECT CAST('10.0.0.0' AS inet) + n % {addresses}, n / 4 + 1,
       CAST(n % {projects} AS text),
       CASE WHEN n % 2 = 1 THEN CAST('11.0.0.0' AS inet) + n % {servers} END,
       CASE WHEN n % 2 = 1 THEN n % {servers} + 1 END,
       timestamptz '2020-01-01Z' + n * interval '30 seconds',
       timestamptz '2020-01-01Z' + (n + {addresses}) * interval '30 seconds',
       'bench', 'req-bench'
  FROM generate_series(0, {rows} - 1) AS n
"""

ROUNDS = 50


def main() -> None:
    """Fill, ask, and print."""
    asked = _arguments()
    with cluster.temporary(asked.dir) as postgres:
        migrations.upgrade(postgres.url)
        fill = FILL.format(
            rows=asked.rows, addresses=ADDRESSES, projects=PROJECTS, servers=SERVERS
        )
        postgres.execute(
            "SET maintenance_work_mem = '1GB'",
            WITHOUT_CONSTRAINT,
            fill,
            WITH_CONSTRAINT,
        )
        postgres.settle()
        asyncio.run(_ask(postgres, asked.rows))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.history")
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--dir", type=Path, default=Path("/var/tmp"))  # noqa: S108
    return parser.parse_args()


def _questions(rows: int) -> Iterator[tuple[str, Filter]]:
    middle = BEGAN + rows // 2 * APART
    address = parse_address("10.0.7.7")
    at, month = Window(middle, middle), Window(middle, middle + timedelta(days=30))
    yield "ip, at", Filter(ip=address, window=at)
    yield "ip, at, project_id", Filter("7", address, window=at)
    yield "ip, from, until", Filter(ip=address, window=month)
    yield "ip", Filter(ip=address)
    yield "floating_ip_id", Filter(floating_ip_id=rows // 8)
    yield "instance_id", Filter(server_id=77)
    yield "project_id", Filter("7")
    yield "project_id, from, until", Filter("7", window=month)
    yield "none", Filter()


async def _ask(postgres: cluster.Cluster, rows: int) -> None:
    settings = postgres.settings()
    async with LedgerDatabase(settings) as database, connection(database) as lent:
        count = await lent.fetchval("SELECT count(*) FROM history")
        print(f"{count:,} intervals; PostgreSQL {postgres.version}")
        for name, chosen in _questions(rows):
            found, median = await _time(lent, chosen)
            print(f"\n## {name}: {found} intervals, median {median * 1000:.2f} ms")
            print("\n".join(await _plan(lent, chosen)))


async def _time(lent: Connection, chosen: Filter) -> tuple[int, float]:
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        found = await intervals.page(lent, chosen, None, 101)
        times.append(time.perf_counter() - began)
    return len(found), statistics.median(times)


async def _plan(lent: Connection, chosen: Filter) -> list[str]:
    rows = await lent.fetch(
        "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) " + intervals.statement(chosen),
        *intervals.parameters(chosen, None, 101),
    )
    return [row[0] for row in rows]


if __name__ == "__main__":
    main()
