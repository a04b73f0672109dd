"""The pools that are compared: each in a database of its own, in one Postgres.

A database is filled once for each size and fill, and copied for each age. What is there
already is used, so that a run that was interrupted goes on.
"""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from app import migrations
from app.database import LedgerDatabase, transaction
from app.ledger import pools
from app.settings import Settings
from benchmarks.cluster import PATIENCE, Cluster

FRESH, CHURNED = "fresh", "churned"

QUOTA = 1_000_000
"""Large, yet counted."""

POOL = "public"

FIRST = "10.0.0.1"
BATCH = 2**18
"""Addresses that one statement adds."""

# What allocating them one by one would leave, but for history and quotas: of $6 in a
# row one is free, the others are held. The uuids are as evenly spread as random ones,
# and come in the order of their index, which is quicker by far.
FILL = """
INSERT INTO addresses (address, pool_id, state, pick, floating_ip_id, floating_ip_uuid,
                       project_id, revision, changed_at)
SELECT CAST($1 AS inet) + n, $2,
       CASE WHEN is_free THEN 'free' ELSE 'held' END,
       (from_n + random() * (to_n - from_n)) / total,
       CASE WHEN NOT is_free THEN n + 1 END,
       CASE WHEN NOT is_free
            THEN CAST(lpad(to_hex(n * 4294967296 / total), 8, '0')
                      || lpad(to_hex(n), 24, '0') AS uuid) END,
       CASE WHEN NOT is_free THEN 'held-' || n / 100 END,
       CASE WHEN NOT is_free THEN 1 END,
       CASE WHEN is_free THEN '-infinity' ELSE clock_timestamp() END
  FROM (SELECT CAST($3 AS bigint), CAST($4 AS bigint), CAST($5 AS bigint))
       AS batch (from_n, to_n, total),
       generate_series(from_n, to_n - 1) AS n,
       LATERAL (SELECT n % $6 = 0) AS each (is_free)
"""

SKIP_IDS = "SELECT setval('floating_ip_ids', CAST($1 AS bigint))"

KNOWN = """
SELECT datname, shobj_description(oid, 'pg_database')
  FROM pg_database
 WHERE datname LIKE 'flat\\_%'
"""

MEASURED = "measured"
"""The note on a database that is no longer as it was made."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A pool: how large and full it is, and what it has been through."""

    addresses: int
    period: int
    """One address of so many in a row is free."""
    age: str
    rests: bool = False
    """Whether its released addresses rest for the default time."""

    @property
    def filled(self) -> str:
        """Name the database that it is copied from."""
        return f"flat_{self.addresses}_{self.period}"

    @property
    def database(self) -> str:
        """Name its own."""
        return f"{self.filled}_{self.age}" + ("_resting" if self.rests else "")

    @property
    def full(self) -> str:
        """Tell how full it is."""
        return f"{1 - 1 / self.period:.1%}"

    def settings(self, cluster: Cluster, connections: int) -> Settings:
        """Return the settings of a service on it."""
        return cluster.settings(self.database, QUOTA, connections)


def all_of(sizes: list[int], clients: int) -> list[Cell]:
    """List the matrix, then one small pool where addresses rest.

    A full pool has one address of a thousand free, and one for each client at least.
    """
    matrix = [
        Cell(addresses, period, age)
        for addresses in sizes
        for period in (2, min(1000, addresses // clients))
        for age in (FRESH, CHURNED)
    ]
    return [*matrix, Cell(sizes[0], 2, FRESH, rests=True)]


def make(cluster: Cluster, cells: list[Cell]) -> None:
    """Make their databases; a churned one that no window has seen is kept as it is."""
    known = notes(cluster)
    for cell in cells:
        if cell.filled not in known:
            _fill(cluster, cell)
            known[cell.filled] = None
        is_as_made = known.get(cell.database) not in (None, MEASURED)
        if cell.age != CHURNED or not is_as_made:
            _copy(cluster, cell)


def notes(cluster: Cluster) -> dict[str, str | None]:
    """Return the note on each of the databases that there are."""
    return dict(tuple(row) for row in cluster.fetch(KNOWN))


def note(cluster: Cluster, cell: Cell, text: str) -> None:
    """Keep a note on a database; the words are our own."""
    cluster.execute(f"""COMMENT ON DATABASE "{cell.database}" IS '{text}'""")


def _copy(cluster: Cluster, cell: Cell) -> None:
    say(f"making {cell.database}")
    cluster.execute(
        f'DROP DATABASE IF EXISTS "{cell.database}"',
        f'CREATE DATABASE "{cell.database}" TEMPLATE "{cell.filled}" '
        "STRATEGY file_copy",
    )


def _fill(cluster: Cluster, cell: Cell) -> None:
    """Fill a database, which gets its name once it is whole."""
    unfinished = f"unfinished_{cell.filled}"
    say(f"filling {cell.filled}")
    cluster.execute(f'DROP DATABASE IF EXISTS "{unfinished}"')
    cluster.create(unfinished)
    settings = cluster.settings(unfinished)
    migrations.upgrade(settings.database_url or "")
    asyncio.run(_add(settings, cell))
    cluster.settle(unfinished)
    cluster.execute(f'ALTER DATABASE "{unfinished}" RENAME TO "{cell.filled}"')


async def _add(settings: Settings, cell: Cell) -> None:
    async with LedgerDatabase(settings, PATIENCE) as database:
        async with transaction(database) as tx:
            pool_id = await pools.find_or_create(tx, POOL)
            await tx.fetchval(SKIP_IDS, cell.addresses + 1)
        for begin, end in _batches(cell.addresses):
            numbers = (begin, end, cell.addresses, cell.period)
            async with transaction(database) as tx:
                await tx.execute(FILL, FIRST, pool_id, *numbers)


def _batches(count: int) -> Iterator[tuple[int, int]]:
    for begin in range(0, count, BATCH):
        yield begin, min(begin + BATCH, count)


def say(what: str) -> None:
    """Tell how far the run has come."""
    print(what, file=sys.stderr, flush=True)
