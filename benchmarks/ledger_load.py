"""Load on the ledger itself, from processes without HTTP.

Each client has a connection for itself and one change after another, as a request that
comes alone makes it. The ledger is called, not copied, so that what is measured is what
the service does.
"""

import asyncio
import time
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import uvloop

from app.auth import Caller, Role
from app.database import Connection, LedgerDatabase, Tx, connection
from app.ledger import allocation, together
from app.ledger import release as releasing
from app.ledger.together import Allocation, Release
from app.settings import Settings
from benchmarks import cpu

PATIENCE = 3600.0
"""Seconds that a connection may be kept."""

GETTING_READY = 1.0
"""Seconds from the plan to the window, in which all processes connect and warm up."""

LAZY = "SET synchronous_commit = off"

FLUSH = "SELECT pg_stat_force_next_flush()"
"""Makes Postgres count what the connection has read until now, at once."""


# Of all clients in the cluster, so that nothing else may be going on in it.
COUNTERS = """
SELECT CAST(sum(hits + reads) AS bigint),
       CAST(pg_current_wal_insert_lsn() - '0/0' AS bigint)
  FROM pg_stat_io
 WHERE backend_type = 'client backend' AND object = 'relation'
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What clients do, for how many seconds at most."""

    settings: Settings
    projects: list[str]
    """Of each client."""
    seconds: float
    begin: float | None = None
    """When the window opens, by time.monotonic, which all processes share; or as soon
    as all of this process are ready."""
    at_most: int | None = None
    """How often all of them together do it; None: as often as they can."""
    at_once: int = 1
    """How many go together in one statement, as requests of one moment do."""
    gives_back: bool = True
    """Whether each releases what it has just got: a pair."""
    durable: bool = True
    """Whether each commit waits until it is on disk."""
    postmaster: int | None = None
    """The process whose processor time is wanted."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the clients of one process have done within the window."""

    done: int
    seconds: float
    postgres: float
    """Seconds of processor time, for what all processes have done."""
    buffers: int
    """Pages that all clients' backends have looked at, in memory or not."""
    wal_bytes: int


async def allocate(
    lent: Connection, caller: Caller, settings: Settings, count: int
) -> list[int]:
    """Allocate as requests of one moment do, and alone what does not go together."""
    pool, quota = settings.default_pool, settings.default_quota
    asked = [Allocation(caller, pool)] * count
    ids = []
    for given in await together.allocate(lent, asked, quota):
        if given is None:
            async with lent.transaction():
                given = await allocation.allocate(Tx(lent), caller, pool, quota)
        ids.append(given.id)
    return ids


async def release(lent: Connection, caller: Caller, floating_ip_ids: list[int]) -> None:
    """Release likewise."""
    asked = [Release(caller, each) for each in floating_ip_ids]
    done = zip(floating_ip_ids, await together.release(lent, asked), strict=True)
    if left := [id for id, is_done in done if not is_done]:
        async with lent.transaction():
            await releasing.release(Tx(lent), caller, left)


def run_together(executor: Executor, plan: Plan, processes: int) -> Outcome:
    """Divide a plan's clients among processes, all in one window."""
    begin = time.monotonic() + GETTING_READY
    shares = [plan.projects[n::processes] for n in range(processes)]
    plans = [replace(plan, projects=share, begin=begin) for share in shares]
    outcomes = list(executor.map(run, plans))
    return Outcome(
        sum(outcome.done for outcome in outcomes),
        *(max(counted) for counted in zip(*map(_of_all, outcomes), strict=True)),
    )


def _of_all(outcome: Outcome) -> tuple[float, float, int, int]:
    """Return what each process reads of all."""
    return outcome.seconds, outcome.postgres, outcome.buffers, outcome.wal_bytes


def run(plan: Plan) -> Outcome:
    """Run a plan to its end; the entry point of a process."""
    return uvloop.run(_Window(plan).run())


class _Window:
    """The time in which what is done counts, and the clients in it."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._left = plan.at_most
        self._done = 0

    async def run(self) -> Outcome:
        everybody = len(self._plan.projects) + 1
        self._met = asyncio.Barrier(everybody)
        room = {"database_pool_size": everybody}
        settings = self._plan.settings.model_copy(update=room)
        async with (
            LedgerDatabase(settings, PATIENCE) as database,
            connection(database) as watching,
            asyncio.TaskGroup() as group,
        ):
            for project in self._plan.projects:
                group.create_task(self._client(database, project))
            return await self._watch(watching)

    async def _watch(self, watching: Connection) -> Outcome:
        """Open the window once all are ready, and read the clocks at its ends."""
        await self._met.wait()
        begin = self._plan.begin or time.monotonic()
        await asyncio.sleep(begin - time.monotonic())
        self._deadline = begin + self._plan.seconds
        buffers, wal_bytes = await watching.fetchrow(COUNTERS) or (0, 0)
        postgres, began = self._postgres_time(), time.monotonic()
        await self._met.wait()
        await self._met.wait()
        seconds, spent = time.monotonic() - began, self._postgres_time() - postgres
        after = await watching.fetchrow(COUNTERS) or (0, 0)
        return Outcome(
            self._done, seconds, spent, after[0] - buffers, after[1] - wal_bytes
        )

    async def _client(self, database: LedgerDatabase, project: str) -> None:
        caller = Caller("bench", project, Role.MEMBER, f"req-{'0' * 36}")
        async with connection(database) as lent:
            if not self._plan.durable:
                await lent.execute(LAZY)
            await self._act(lent, caller)
            await lent.execute(FLUSH)
            await self._met.wait()
            await self._met.wait()
            while self._may_go_on():
                await self._act(lent, caller)
                self._done += self._plan.at_once
            await lent.execute(FLUSH)
            await self._met.wait()

    def _may_go_on(self) -> bool:
        if self._left is not None:
            self._left -= self._plan.at_once
            if self._left <= -self._plan.at_once:
                return False
        return time.monotonic() < self._deadline

    async def _act(self, lent: Connection, caller: Caller) -> None:
        settings, count = self._plan.settings, self._plan.at_once
        given = await allocate(lent, caller, settings, count)
        if self._plan.gives_back:
            await release(lent, caller, given)

    def _postgres_time(self) -> float:
        postmaster = self._plan.postmaster
        return cpu.seconds_of(postmaster) if postmaster else 0.0
