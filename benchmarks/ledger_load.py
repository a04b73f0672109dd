"""Load on the ledger's own rules, from processes without HTTP.

Each client has a connection for itself and one transaction after another. The rules are
called, not copied, so that what is measured is what the service does.
"""

import asyncio
import time
from concurrent.futures import Executor
from dataclasses import dataclass

import uvloop

from app.auth import Caller, Role
from app.database import Connection, LedgerDatabase, Tx, connection
from app.ledger import allocation
from app.ledger import release as releasing
from app.settings import Settings
from benchmarks import cpu

PATIENCE = 3600.0
"""Seconds that a connection may be kept."""

GETTING_READY = 1.0
"""Seconds from the plan to the window, in which all processes connect and warm up."""

LAZY = "SET synchronous_commit = off"

FLUSH = "SELECT pg_stat_force_next_flush()"
"""Makes Postgres count what the connection has read until now, at once."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the clients of one process do, for how many seconds at most."""

    settings: Settings
    projects: list[str]
    """Of each client."""
    begin: float
    """When the window opens, by time.monotonic, which all processes share."""
    seconds: float
    at_most: int | None = None
    """How often all of them together do it; None: as often as they can."""
    gives_back: bool = True
    """Whether each releases what it has just got: a pair."""
    durable: bool = True
    postmaster: int | None = None
    """The process whose processor time is wanted."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the clients of one process have done within the window."""

    done: int
    seconds: float
    postgres: float
    """Seconds of processor time, for what all processes have done."""


async def allocate(tx: Tx, caller: Caller, settings: Settings) -> int:
    """Allocate as the draft face does; the only place that knows the rule."""
    pool, quota = settings.default_pool, settings.default_quota
    floating_ip = await allocation.allocate(tx, caller, pool, quota)
    return floating_ip.id


async def release(tx: Tx, caller: Caller, floating_ip_id: int) -> None:
    """Release as the draft face does."""
    await releasing.release(tx, caller, [floating_ip_id])


def run_together(
    processes: Executor,
    settings: Settings,
    projects: list[list[str]],
    seconds: float,
    postmaster: int,
    *,
    gives_back: bool,
) -> Outcome:
    """Run the clients of as many processes as there are lists, all in one window."""
    begin = time.monotonic() + GETTING_READY
    room = {"database_pool_size": max(map(len, projects))}
    settings = settings.model_copy(update=room)
    plans = [
        Plan(
            settings, own, begin, seconds, gives_back=gives_back, postmaster=postmaster
        )
        for own in projects
    ]
    outcomes = list(processes.map(run, plans))
    return Outcome(
        sum(outcome.done for outcome in outcomes),
        max(outcome.seconds for outcome in outcomes),
        max(outcome.postgres for outcome in outcomes),
    )


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
        self._met = asyncio.Barrier(len(self._plan.projects) + 1)
        async with (
            LedgerDatabase(self._plan.settings, PATIENCE) as database,
            asyncio.TaskGroup() as group,
        ):
            for project in self._plan.projects:
                group.create_task(self._client(database, project))
            return await self._watch()

    async def _watch(self) -> Outcome:
        """Open the window once all are ready, and read the clocks at its ends."""
        await self._met.wait()
        await asyncio.sleep(self._plan.begin - time.monotonic())
        self._deadline = self._plan.begin + self._plan.seconds
        before, began = self._postgres_time(), time.monotonic()
        await self._met.wait()
        await self._met.wait()
        seconds = time.monotonic() - began
        return Outcome(self._done, seconds, self._postgres_time() - before)

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
                self._done += 1
            await lent.execute(FLUSH)
            await self._met.wait()

    def _may_go_on(self) -> bool:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                return False
        return time.monotonic() < self._deadline

    async def _act(self, lent: Connection, caller: Caller) -> None:
        async with lent.transaction():
            given = await allocate(Tx(lent), caller, self._plan.settings)
        if self._plan.gives_back:
            async with lent.transaction():
                await release(Tx(lent), caller, given)

    def _postgres_time(self) -> float:
        postmaster = self._plan.postmaster
        return cpu.seconds_of(postmaster) if postmaster else 0.0
