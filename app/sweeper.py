"""The task beside the requests that does what is due, now and then."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import structlog

from app.database import LedgerDatabase, transaction
from app.errors import Unavailable
from app.ledger import sweeping
from app.settings import Settings

log = structlog.get_logger()


@asynccontextmanager
async def sweeping_beside(
    database: LedgerDatabase, settings: Settings
) -> AsyncIterator[None]:
    """Sweep until the block ends."""
    task = asyncio.create_task(_sweep_for_ever(database, settings))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _sweep_for_ever(database: LedgerDatabase, settings: Settings) -> None:
    while True:
        await asyncio.sleep(settings.sweep_interval)
        try:
            await sweep(database, settings)
        except Unavailable as reason:
            log.info("sweep put off", reason=str(reason))
        except Exception as failure:
            # The next one may do better; what is due waits, and nothing is lost.
            log.error("sweep failed", exc_info=failure)


async def sweep(database: LedgerDatabase, settings: Settings) -> None:
    """Do all that is due, a batch a transaction."""
    keep_answers = timedelta(hours=settings.idempotency_retention)
    is_more = True
    while is_more:
        async with transaction(database) as tx:
            is_more = await sweeping.sweep(tx, keep_answers)
