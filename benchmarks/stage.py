"""The database of a run: a durable Postgres of its own, with a full pool."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app import migrations
from app.database import LedgerDatabase, transaction
from app.embedded.account import account_for
from app.embedded.binaries import CACHE, find_binaries
from app.ledger import pools, quotas
from app.ledger.addresses import parse_range
from app.settings import Settings
from benchmarks import cluster, messages, scripts
from benchmarks.pgbench import Pgbench, Rate

PATIENCE = 300.0
"""Seconds that one statement of the preparation may take."""

READ, PGBENCH, SEEDED, SERVICE = 1000, 2000, 3000, 4000
"""The first project of those that are read from by all, of those that pgbench takes
for and gives back for, and of the service's; a client's number is added."""

ALL_OF_PGBENCH, ALL_OF_SERVICE = 5000, 5001
"""The projects that all clients share."""

MOST_CLIENTS = 64
"""Beside the service's connections Postgres has room for so many."""

# What the rules would do one by one: the projects :first, :first + 1, ... hold so many
# floating IPs each, with ids in a row, so that a script can count them through.
HOLD = """
WITH free AS (
    SELECT address, row_number() OVER () - 1 AS n
      FROM (SELECT address
              FROM addresses
             WHERE pool_id = $1 AND state = 'free'
             ORDER BY pick
             LIMIT CAST($2 AS bigint) * CAST($3 AS bigint)) AS picked
), held AS (
    UPDATE addresses AS a
       SET state = 'held',
           floating_ip_id = CAST($5 AS bigint) + n,
           floating_ip_uuid = gen_random_uuid(),
           project_id = CAST(CAST($4 AS bigint) + n / $3 AS text),
           revision = 1,
           changed_at = greatest(clock_timestamp(), changed_at)
      FROM free
     WHERE a.address = free.address
 RETURNING a.address, a.floating_ip_id, a.project_id, a.changed_at
)
INSERT INTO history (address, floating_ip_id, project_id, since, actor, request_id)
SELECT address, floating_ip_id, project_id, changed_at, 'bench', 'req-stage'
  FROM held
"""

NEXT_ID = "SELECT nextval('floating_ip_ids')"
SKIP_IDS = "SELECT setval('floating_ip_ids', CAST($1 AS bigint))"


@dataclass(frozen=True, slots=True)
class Stage:
    """A Postgres that runs, migrated and with a full pool."""

    settings: Settings
    postmaster: int
    postgres_version: str
    pgbench: Pgbench
    first_read: int
    """The id of the first floating IP of those that are shown and listed."""

    def hold(self, first_project: int, projects: int, each: int) -> int:
        """Let projects in a row hold floating IPs with ids in a row; return the first.

        Nothing else may allocate meanwhile.
        """
        return asyncio.run(_hold(self.settings, (first_project, projects, each)))

    def run_pgbench(
        self, what: str, clients: int, first_project: int, seconds: float
    ) -> Rate:
        """Run a script for a window of whole seconds."""
        variables = {
            "first_project": first_project,
            "pool": self.settings.default_pool,
            "quota": self.settings.default_quota,
            "actor": messages.ACTOR,
            "request": f"req-{'0' * 36}",
            "first_id": self.first_read,
            "marker": 0,
            "limit": scripts.LISTED + 1,
        }
        length = ("-T", max(1, round(seconds)))
        return self.pgbench.run(scripts.SCRIPTS[what], clients, length, variables)


@contextmanager
def prepared(
    parent: Path, network: str, clients: int, default_quota: int = quotas.NO_LIMIT
) -> Iterator[Stage]:
    """Start Postgres in a folder of its own below this one, and fill it."""
    with cluster.temporary(parent) as postgres:
        migrations.upgrade(postgres.url)
        settings = postgres.settings(default_quota=default_quota)
        asyncio.run(_fill(settings, network, clients))
        seeded = asyncio.run(_hold(settings, (READ, clients, scripts.LISTED)))
        postgres.settle()
        database = LedgerDatabase(settings)
        postmaster, folder = postgres.postmaster, postgres.folder
        pgbench = Pgbench(_program(), database, postmaster, folder)
        yield Stage(settings, postmaster, postgres.version, pgbench, seeded)


def _program() -> Path:
    binaries = find_binaries(Settings().pg_bindir, account_for(), CACHE)
    return binaries.bindir / "pgbench"


async def _fill(settings: Settings, network: str, clients: int) -> None:
    database = LedgerDatabase(settings, PATIENCE)
    async with database:
        async with transaction(database) as tx:
            await pools.add(tx, settings.default_pool, parse_range(network), "eth0")
            known = [
                *(
                    each + n
                    for each in (PGBENCH, SEEDED, SERVICE)
                    for n in range(clients)
                ),
                ALL_OF_PGBENCH,
                ALL_OF_SERVICE,
            ]
            for project in known:
                await tx.execute(quotas.BEGIN, str(project))
            await quotas.deal(tx, list(map(str, known)), settings.default_quota)
        await scripts.check(database, str(SERVICE), settings)


async def _hold(settings: Settings, whose: tuple[int, int, int]) -> int:
    first_project, projects, each = whose
    database = LedgerDatabase(settings, PATIENCE)
    async with database, transaction(database) as tx:
        pool_id = await pools.find(tx, settings.default_pool)
        for project in range(first_project, first_project + projects):
            await quotas.take(tx, str(project), settings.default_quota, each)
        first: int = await tx.fetchval(NEXT_ID)
        await tx.execute(HOLD, pool_id, projects, each, first_project, first)
        await tx.fetchval(SKIP_IDS, first + projects * each)
    return first
