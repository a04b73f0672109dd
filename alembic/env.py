"""Runs migrations over asyncpg, one process at a time.

The URL comes from `alembic -x url=…`, from the caller's `Config.attributes`, or from
DATABASE_URL.
"""

import asyncio
import os

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.primary import Primary

ONE_AT_A_TIME = 0x666C6F6174  # "float": the advisory lock of migrations.


def database_url() -> str:
    return str(
        context.config.attributes.get("url")
        or context.get_x_argument(as_dictionary=True).get("url")
        or os.environ["DATABASE_URL"]
    )


def migrate(connection: Connection) -> None:
    context.configure(connection=connection, transaction_per_migration=False)
    with context.begin_transaction():
        # The wait for another process that migrates has no limit; the locks then have.
        connection.execute(text(f"SELECT pg_advisory_xact_lock({ONE_AT_A_TIME})"))
        connection.execute(text("SET LOCAL lock_timeout = '5s'"))
        context.run_migrations()


async def main() -> None:
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=Primary(database_url()).connect,
        poolclass=NullPool,
    )
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


asyncio.run(main())
