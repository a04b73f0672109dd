"""The task beside the requests that does what is due, now and then."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta

import structlog

from app.database import LedgerDatabase, transaction
from app.errors import Unavailable
from app.ledger import intervals, sweeping
from app.settings import Settings

log = structlog.get_logger()


@asynccontextmanager
async def sweeping_beside(
    database: LedgerDatabase, settings: Settings
) -> AsyncIterator[None]:
    """Sweep until the block ends."""
    task = asyncio.create_task(_sweep_for_ever(Sweeper(database, settings)))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _sweep_for_ever(sweeper: "Sweeper") -> None:
    while True:
        await asyncio.sleep(sweeper.interval)
        try:
            await sweeper.sweep()
        except Unavailable as reason:
            log.info("sweep put off", reason=str(reason))
        except Exception as failure:
            # The next one may do better; what is due waits, and nothing is lost.
            log.error("sweep failed", exc_info=failure)


class Sweeper:
    """Does what is due; remembers how far it has come in history."""

    def __init__(self, database: LedgerDatabase, settings: Settings) -> None:
        self.interval = settings.sweep_interval
        self._database = database
        self._keep_answers = timedelta(hours=settings.idempotency_retention)
        days = settings.history_retention
        self._keep_history = None if days is None else timedelta(days=days)
        self._round: tuple[int, datetime] | None = None
        """How far, and of what age, while not all of history has been looked at."""

    async def sweep(self) -> None:
        """Do all that is due, a batch a transaction."""
        is_more = True
        while is_more:
            async with transaction(self._database) as tx:
                is_more = await sweeping.sweep(tx, self._keep_answers)
        if self._keep_history is not None:
            await self._sweep_history(self._keep_history)

    async def _sweep_history(self, keep: timedelta) -> None:
        dropped = 1
        while dropped:
            async with transaction(self._database) as tx:
                after, then = self._round or (0, await intervals.ago(tx, keep))
                after, dropped = await sweeping.sweep_history(tx, after, then)
            self._round = (after, then) if after else None
