"""Waiting for what others have locked, without a lock."""

from asyncpg import LockNotAvailableError

from app.database import Tx

A_MOMENT = "SET LOCAL lock_timeout = '200ms'"


async def wait_a_moment(tx: Tx, lock: str, *values: object) -> None:
    """Wait until a statement could lock its rows, for a moment, and lock nothing.

    What was had while we waited would stay locked, with its new owner waiting for us;
    going back to a savepoint lets go of it.
    """
    savepoint = tx.transaction()
    await savepoint.start()
    try:
        await tx.execute(A_MOMENT)
        await tx.execute(lock, *values)
    except LockNotAvailableError:
        # Another one may be free by now.
        pass
    await savepoint.rollback()
